"""The logged MLflow model, as code: LightGBM text and JSON in, risk out. Imports nothing of the project, so that it
loads anywhere with only its requirements."""

import json
from pathlib import Path

import lightgbm
import mlflow
import numpy
import pandas


class Scorer(mlflow.pyfunc.PythonModel):
    """Probability of no order in the horizon for rows of the matrix, which tell their cut-off as `as_of`."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        folder = Path(context.artifacts["model"])
        self.booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        self.meta = json.loads((folder / "model.json").read_text(encoding="utf-8"))

    def season(self, day):  # type: ignore[no-untyped-def]
        """The shift of the calendar's nearest day, 0 where none is near; models/season.py."""
        apart = {}
        for known in self.meta["season"]:
            days = abs(_place(f"{day:%m-%d}") - _place(known))
            apart[known] = min(days, 365 - days)
        near = min(apart, key=apart.get, default=None)
        return self.meta["season"][near] if near is not None and apart[near] <= 16 else 0.0

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # hints change what MLflow checks
        values = model_input[self.meta["features"]].to_numpy(dtype=numpy.float64)
        horizon = numpy.full(len(values), float(self.meta["horizon_periods"]))
        log_odds = self.booster.predict(numpy.column_stack([values, horizon]), raw_score=True)
        days = _days(model_input["as_of"])
        log_odds = log_odds + days.map({day: self.season(day) for day in set(days)}).to_numpy(dtype=numpy.float64)
        return pandas.DataFrame({"risk": 1 / (1 + numpy.exp(-log_odds))})


def _days(texts):  # type: ignore[no-untyped-def]
    """The dates, (rows,). Raises MlflowException, which a server answers with 400, if one is none."""
    days = pandas.to_datetime(texts, format="ISO8601", errors="coerce")
    if days.isna().any():
        message = f"as_of {texts[days.isna()].iloc[0]!r} is not a date. Write it as 2024-03-31."
        raise mlflow.exceptions.MlflowException(
            message, error_code=mlflow.protos.databricks_pb2.INVALID_PARAMETER_VALUE
        )
    return days


def _place(day):  # type: ignore[no-untyped-def]
    month, of_month = map(int, day.split("-"))
    return pandas.Timestamp(2001, month, min(of_month, 28) if month == 2 else of_month).day_of_year


mlflow.models.set_model(Scorer())
