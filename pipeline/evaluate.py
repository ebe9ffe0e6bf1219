"""Stage evaluate: the recipe refitted at rolling test cut-offs, beside baselines and champion; the gate to champion."""

from __future__ import annotations

import json
import logging
from datetime import date
from time import perf_counter
from typing import Any

import pandas as pd
from tqdm import tqdm

from features.errors import ConfigurationError, LimitError
from features.labels import DEFINITIONS
from features.peers import limits_of, tiers_of
from models import curves, label_free, slices
from models.baselines import LEARNED_FROM, baselines
from models.campaign import Economics, measure
from models.causes import CauseModel
from models.gate import against_baselines, against_champion, verdict
from models.horizons import matured
from models.metrics import evaluate
from models.naming import least_share
from models.registry import decide, settle, standing
from models.risk import RiskModel
from models.spread import coverage
from models.tracking import CARD, log_evaluation, run_of
from pipeline.artifacts import column_names, read_frame, read_json
from pipeline.champion import compare
from pipeline.frames import label_of, rules_of, write_frame, write_text
from pipeline.layout import Layout
from pipeline.params import Evaluate, Explain, Featurize, Money, Score, Train
from pipeline.past import Past
from pipeline.train import with_spread
from reports import card

log = logging.getLogger("holdfast")

# Of a prediction; what is left are models.
FACTS = ("account_id", "as_of", "label", "lapsed", "value", *slices.FACTS, "spread")


def run(
    layout: Layout,
    featurize: Featurize,
    train: Train,
    params: Evaluate,
    money: Money,
    score: Score,
    explain: Explain,
    strict: bool = False,
) -> None:
    """Write `predictions.parquet`, `metrics.json`, `summary.json`, `curves/` and `model_card.md`; make the model champion if the gate is passed.

    Raises LimitError if `strict` and the gate is not passed.
    """
    started = perf_counter()
    model, why = RiskModel.load(layout.model), CauseModel.load(layout.causes)
    reasons = read_json(layout.reasons)
    past = Past.read(layout.matrix, train)
    cutoffs = test_cutoffs(past.rows, params)
    predictions = pd.concat(
        [predict_at(past, cutoff, featurize, train) for cutoff in tqdm(cutoffs, desc="test cut-offs", disable=None)],
        ignore_index=True,
    )
    predictions.insert(FACTS.index("region"), "region", regions_of(layout, predictions["account_id"]))
    models = [name for name in predictions.columns if name not in FACTS]
    certainty = (params.bootstrap, params.level, params.seed)
    metrics: dict[str, Any] = evaluate(predictions, models, *certainty)
    metrics["money"] = {"active": measure(predictions, models, Economics(**money.model_dump()), *certainty)}
    metrics["slices"] = slices.by_slice(predictions, ["risk", best_baseline(metrics)], *certainty)
    metrics["label_free"] = label_free.checked(predictions, *certainty)
    metrics["model_hash"] = model.content_hash
    metrics["interval"] = {"level": params.level, "resamples": params.bootstrap}
    metrics["risk_interval"] = coverage(predictions, score.level)
    found = standing(layout.source, model, why)
    if found.rival is not None:
        metrics["champion"] = compare(layout, found.rival, why, past, predictions, featurize, train, params)
    if not (definition := DEFINITIONS[featurize.label]).silence:
        metrics["label"] = {"name": definition.name, "formula": definition.in_words(rules_of(featurize))}
        log.info(
            "evaluate %s: a loss is %s, BG/NBD speaks of no order: only its ranking counts",
            layout.source,
            definition.name,
        )
    metrics["gate"] = gate(metrics, params)
    metrics["decision"] = decide(found, metrics["gate"])
    facts = card.facts_of(
        layout.source,
        model.meta,
        run_of(layout.source, model, why),
        metrics,
        reasons,
        {"precision": explain.precision, "least_share": least_share(explain.precision)},
    )
    texts = {CARD: json.dumps(facts, indent=1), "model_card.md": card.render(facts)}
    log_evaluation(layout.source, model, why, metrics, predictions, texts)
    settle(layout.source, found, metrics["gate"], metrics["decision"])  # before a file says so
    write_frame(predictions, layout.predictions)
    write_text(json.dumps(metrics, indent=1) + "\n", layout.metrics)
    write_text(json.dumps(curves.summary(metrics), indent=1) + "\n", layout.summary)
    for name, points in (
        ("calibration", curves.calibration(predictions)),
        ("gains", curves.gains(predictions)),
        ("by_cutoff", curves.by_cutoff(metrics)),
    ):
        write_text(points.to_csv(index=False), layout.curves / f"{name}.csv")
    write_text(card.render(facts), layout.card)
    risk = metrics["population"]["all"]["risk"]["mean"]
    champion = "champion" if metrics["decision"]["champion"] else "not champion"
    log.info(
        "evaluate %s: %s rows, %s losses, AUC %.3f, %s: %s; %.1f s; wrote %s",
        layout.source,
        f"{risk['n']:,}",
        f"{risk['losses']:,}",
        risk["auc"]["value"],
        champion,
        metrics["decision"]["why"],
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


def predict_at(past: Past, cutoff: date, featurize: Featurize, train: Train) -> pd.DataFrame:
    """Predictions for all accounts at one test cut-off of model and baselines, all learned from what had matured by then:
    the model from a sample (`train.sample`), the baselines from all."""
    test = past.labelled([cutoff]).reset_index(drop=True)
    told = matured(past.cutoffs, cutoff, label_of(featurize), train.cutoffs)
    history = past.labelled(told, ["account_id", "as_of", "label", *LEARNED_FROM])
    frame = test[["account_id", "as_of", "label", "lapsed"]].copy()
    amount = test["amount_12"].to_numpy(float)
    frame["value"] = amount.clip(min=0.0)  # purchases of the twelve months before
    frame["tier"] = tiers_of(amount, limits_of(amount))
    frame["tenure"] = test["tenure"]
    model = with_spread(past, cutoff, featurize, train)
    frame["spread"] = float("nan") if model.meta["spread"] is None else model.meta["spread"]
    frame["risk"] = model.predict(test)
    horizon = (label_of(featurize).end(cutoff) - cutoff).days
    for name, baseline in baselines(horizon).items():
        frame[name] = baseline.fit(history).predict(test)
    return frame


def regions_of(layout: Layout, accounts: pd.Series[str]) -> pd.Series[str]:
    """Today's region of each of the accounts, (rows,) in their order; missing where the accounts table has none."""
    path = layout.tables / "accounts.parquet"
    if not path.exists() or "region" not in column_names(path):
        return pd.Series(None, index=accounts.index, dtype="str")
    table = read_frame(path, ["account_id", "region"]).dropna().drop_duplicates("account_id")
    return accounts.map(table.set_index("account_id")["region"])


def best_baseline(metrics: dict[str, Any]) -> str:
    """The baseline with the highest mean AUC over all eligible accounts."""
    models = metrics["population"]["all"]
    auc = {name: cells["mean"]["auc"]["value"] or 0.0 for name, cells in models.items() if name != "risk"}
    return str(max(auc, key=lambda name: auc[name]))


def gate(metrics: dict[str, Any], params: Evaluate) -> dict[str, Any]:
    """Whether the model may be champion, and why: better than every baseline for sure, calibrated, and not worse than
    the champion there is, nor telling many accounts another reason."""
    criteria = against_baselines(metrics, params.gate_auc_gain, params.gate_ece)
    if "champion" in metrics:
        limits = (params.gate_margin, params.gate_ece_margin, params.gate_reasons, params.gate_reasons_large)
        criteria += against_champion(metrics["champion"], *limits)
    return verdict(criteria)
