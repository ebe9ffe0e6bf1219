"""Stage evaluate: the recipe refitted at rolling test cut-offs, beside the baselines; the gate to champion."""

from __future__ import annotations

import json
import logging
from datetime import date
from time import perf_counter
from typing import Any

import pandas as pd
from tqdm import tqdm

from features.errors import ConfigurationError, LimitError
from models.baselines import baselines
from models.campaign import Economics, measure
from models.causes import CauseModel
from models.metrics import evaluate
from models.risk import RiskModel
from models.splits import split
from models.tracking import log_evaluation
from pipeline.frames import label_of, read_matrix, write_frame, write_text
from pipeline.layout import Layout
from pipeline.params import Evaluate, Featurize, Money, Train
from pipeline.train import fit_at, rows_of

log = logging.getLogger("holdfast")


def run(
    layout: Layout, featurize: Featurize, train: Train, params: Evaluate, money: Money, strict: bool = False
) -> None:
    """Write `predictions.parquet` and `metrics.json`; make the model champion if the gate is passed.

    Raises LimitError if `strict` and the gate is not passed.
    """
    started = perf_counter()
    matrix = read_matrix(layout.matrix)
    cutoffs = test_cutoffs(matrix, params)
    predictions = pd.concat(
        [predict_at(matrix, cutoff, featurize, train) for cutoff in tqdm(cutoffs, desc="test cut-offs", disable=None)],
        ignore_index=True,
    )
    models = [name for name in predictions.columns if name not in ("account_id", "as_of", "label", "lapsed", "value")]
    certainty = (params.bootstrap, params.level, params.seed)
    metrics: dict[str, Any] = evaluate(predictions, models, *certainty)
    metrics["money"] = {"active": measure(predictions, models, Economics(**money.model_dump()), *certainty)}
    metrics["interval"] = {"level": params.level, "resamples": params.bootstrap}
    metrics["gate"] = gate(metrics, params)
    write_frame(predictions, layout.predictions)
    write_text(json.dumps(metrics, indent=1) + "\n", layout.metrics)
    log_evaluation(layout.source, RiskModel.load(layout.model), CauseModel.load(layout.causes), metrics, predictions)
    risk = metrics["population"]["all"]["risk"]["mean"]
    log.info(
        "evaluate %s: %s rows, %s losses, AUC %.3f, %s; %.1f s; wrote %s",
        layout.source,
        f"{risk['n']:,}",
        f"{risk['losses']:,}",
        risk["auc"]["value"],
        metrics["gate"]["why"],
        perf_counter() - started,
        layout.metrics,
    )
    if strict and not metrics["gate"]["passed"]:
        raise LimitError(f"The gate to champion is not passed: {metrics['gate']['why']}.")


def test_cutoffs(matrix: pd.DataFrame, params: Evaluate) -> list[date]:
    """The cut-offs of the evaluation: as given, else the last `tests` whose label has matured.

    Raises ConfigurationError if one is not in the matrix, or its label has not matured.
    """
    known: list[date] = sorted(set(matrix.loc[matrix["label"].notna(), "as_of"]))
    if params.cutoffs is None:
        return known[-params.tests :]
    for cutoff in params.cutoffs:
        if cutoff not in known:
            raise ConfigurationError(
                f"evaluate.cutoffs: {cutoff} is no cut-off of the matrix with a matured label. "
                f"It has {len(known)} from {known[0]} to {known[-1]}."
            )
    return sorted(params.cutoffs)


def predict_at(matrix: pd.DataFrame, cutoff: date, featurize: Featurize, train: Train) -> pd.DataFrame:
    """Predictions at one test cut-off of model and baselines, all learned from what had matured by then."""
    test = matrix[(matrix["as_of"] == cutoff) & matrix["label"].notna()].reset_index(drop=True)
    learned = split(sorted(set(matrix["as_of"])), cutoff, label_of(featurize), train.cutoffs, 0)
    history = rows_of(matrix)(learned.train)
    frame = test[["account_id", "as_of", "label", "lapsed"]].copy()
    frame["value"] = test["amount_12"].clip(lower=0.0)  # purchases of the twelve months before
    frame["risk"] = fit_at(matrix, cutoff, featurize, train).predict(test)
    horizon = (label_of(featurize).end(cutoff) - cutoff).days
    for name, baseline in baselines(horizon).items():
        frame[name] = baseline.fit(history).predict(test)
    return frame


def gate(metrics: dict[str, Any], params: Evaluate) -> dict[str, Any]:
    """Whether the model may be champion, and why: better than every baseline for sure, and calibrated."""
    failures = []
    for baseline, cells in metrics["paired"]["all"].items():
        low = cells["mean"]["auc"]["low"]
        if low is None or low <= params.gate_auc_gain:
            shown = "unknown" if low is None else f"{low:+.4f}"
            failures.append(f"gain in AUC over {baseline} from {shown}, not above {params.gate_auc_gain:+.4f}")
    ece = metrics["population"]["all"]["risk"]["mean"]["ece"]["value"]
    if ece is None or ece > params.gate_ece:
        failures.append(f"calibration error {ece} above {params.gate_ece}")
    why = "; ".join(failures) if failures else "better than every baseline, calibration within its limit"
    return {"passed": not failures, "why": why}
