"""The logged MLflow model, as code: LightGBM text and JSON in, risk out. Imports nothing of the project, so that it
loads anywhere with only its requirements."""

import json
from pathlib import Path

import lightgbm
import mlflow
import numpy
import pandas


class Scorer(mlflow.pyfunc.PythonModel):
    """Probability of no order in the horizon for rows of the matrix."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        folder = Path(context.artifacts["model"])
        self.booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        self.meta = json.loads((folder / "model.json").read_text(encoding="utf-8"))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # hints change what MLflow checks
        values = model_input[self.meta["features"]].to_numpy(dtype=numpy.float64)
        horizon = numpy.full(len(values), float(self.meta["horizon_periods"]))
        log_odds = self.booster.predict(numpy.column_stack([values, horizon]), raw_score=True)
        return pandas.DataFrame({"risk": 1 / (1 + numpy.exp(-log_odds))})


mlflow.models.set_model(Scorer())
