"""Stage reasons: what recorded losses teach, how stable the reasons are, and what a placebo would get."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict
from typing import Any

import pandas as pd
from tqdm import tqdm

from features.errors import ConfigurationError
from features.matrix import KEYS
from models import exits, stability
from models.causes import CauseModel
from models.naming import least_share, of_other_recipe
from models.risk import RiskModel
from models.taxonomy import taxonomy
from models.tracking import log_training
from pipeline.artifacts import column_names, read_frame, read_json
from pipeline.frames import write_text
from pipeline.layout import Layout
from pipeline.params import Featurize, Params, Train
from pipeline.past import Past, ahead

log = logging.getLogger("holdfast")
EXIT_COLUMNS = ("account_id", "recorded_on", "reason", "audited")


def learn_exits(layout: Layout, why: CauseModel, past: Past, featurize: Featurize) -> CauseModel:
    """The model with what the source's exits teach it, and a line in the log on that."""
    path = layout.tables / "exits.parquet"
    if not path.exists() or not set(EXIT_COLUMNS) <= set(column_names(path)):
        return why.taught({"why": f"Nothing was learned: there is no table exits with {', '.join(EXIT_COLUMNS)}."})
    table = read_frame(path, EXIT_COLUMNS)
    recorded = exits.counted(table)["recorded_on"]
    matrix = past.of(recorded.index)
    hazards = exits.hazards_at_loss(why, matrix, featurize.period, recorded)
    found, left = exits.read(table, hazards, past.cutoffs[-1])
    learned = exits.learn(found, why.weights, why.recipe.seed) | {"not_used": left}
    return why.taught(learned)


def in_words(learned: dict[str, Any]) -> str:
    """What was learned from exits, and by how much it helped."""
    said = str(learned["why"])
    if "accuracy" in learned:
        gain = learned["accuracy"]
        said += (
            f" Largest share right, held-out audited exits: {gain['before']:.1%} before, {gain['after']:.1%} after "
            f"(difference {gain['gain']:+.1%}, {gain['level']:.0%} interval {gain['low']:+.1%} to {gain['high']:+.1%})."
        )
    if learned.get("unshown"):
        said += f" {learned['unshown']:,} audited exits name a reason of which nothing showed."
    if learned.get("not_used"):
        said += f" {learned['not_used']:,} exits were not used: no features before the loss, or no documented reason."
    return said


def reasons_of(why: CauseModel, past: Past, featurize: Featurize) -> dict[str, Any]:
    """What every training reports of its reasons: stability between bags at the last cut-off, None where there is nothing to
    compare, and the exits."""
    changes = stability.between_bags(why, last_rows(why, past, featurize))
    return {
        "top_changes_between_bags": {name: value if math.isfinite(value) else None for name, value in changes.items()},
        "exits": dict(why.exits),
    }


def tracked_params(model: RiskModel, why: CauseModel) -> dict[str, Any]:
    """What MLflow is told of how the models were trained: by the parameters of then, which `params.yaml` may not have any more."""
    return {**model.meta["recipe"], **{f"reasons.{name}": value for name, value in asdict(why.recipe).items()}}


def tracked_metrics(found: dict[str, Any]) -> dict[str, float]:
    """What MLflow is told of `reasons_of`."""
    changes = found["top_changes_between_bags"]
    metrics = {f"reasons.top_changes_{name}": value for name, value in changes.items() if value is not None}
    if "accuracy" in found["exits"]:
        gain = found["exits"]["accuracy"]
        metrics |= {f"reasons.exits_{name}": gain[name] for name in ("before", "after", "gain", "low", "high")}
    return metrics


def last_rows(why: CauseModel, past: Past, featurize: Featurize) -> pd.DataFrame:
    """Rows of the accounts active at the last cut-off of the matrix, and theirs at the cut-offs before it."""
    last = past.cutoffs[-1]
    rows = past.at([featurize.period.before(last, back) for back in range(why.recipe.lags + 1)])
    active = rows.loc[(rows["as_of"] == last) & ~rows["lapsed"], "account_id"]
    return rows[rows["account_id"].isin(active)]


def learn(layout: Layout, params: Params) -> str:
    """Learn from the exits anew, save the model of causes with it and register both models; says what was learned."""
    model, why = RiskModel.load(layout.model), CauseModel.load(layout.causes)
    past = Past.read(layout.matrix, Train.model_validate(model.meta["recipe"]))
    why = learn_exits(layout, why.taught({}), past, params.featurize)
    save(layout, model, why, past, params.featurize)
    return in_words(dict(why.exits))


def save(layout: Layout, model: RiskModel, why: CauseModel, past: Past, featurize: Featurize) -> None:
    """Save the model of causes and what is known of its reasons, and register it with the risk model beside it."""
    why.save(layout.causes)
    found = reasons_of(why, past, featurize)
    write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", layout.reasons)
    learned = past.rows[past.rows["label"].notna()]
    rows = learned[learned["as_of"].astype(str).isin(model.meta["train_cutoffs"])]
    told, metrics = tracked_params(model, why), tracked_metrics(found)
    log_training(layout.source, model, why, layout.model, layout.causes, rows, told, layout.tables, metrics)


def placebo(layout: Layout, params: Params) -> str:
    """For each reason the share it gets in past losses, the one it would get if its evidence were another account's, and
    what of that was learned: the rest is evidence worse than any in training, which has a hazard wherever it lands."""
    why = CauseModel.load(layout.causes)
    if not why.boosters:
        raise ConfigurationError("No reason was learned on this data, so there is no share to check.")
    matrix = Past.read(layout.matrix, params.train).rows
    features = [name for name in matrix.columns if name not in KEYS]
    rows, weight = ahead(matrix, params.featurize, params.train, why.recipe.lead)
    lost = matrix[(matrix["label"] == 1) & ~matrix["lapsed"]]
    # whom evidence is swapped with does not depend on whether all accounts are read or the sample alone
    there = matrix[matrix["account_id"].isin({*rows["account_id"], *lost["account_id"]})]
    own = why.taught({}).shares(lost).mean()  # as the placebo has them: without what exits taught
    names = taxonomy().names
    lines = [f"{'reason':40} {'share':>7} {'placebo':>8} {'learned':>8}"]
    for code in tqdm(list(why.boosters), desc="placebos", disable=None):
        got = stability.placebo_share(there, rows, lost, features, why.recipe, code, weight)
        lines.append(f"{names[code]['en']:40} {own[f'share_{code}']:>7.1%} {got.share:>8.1%} {got.learned:>8.1%}")
    return "\n".join(lines)


def _steadiness(every: float | None, large: float | None) -> str:
    if every is None:
        return "How steady the largest share is cannot be told: there are no bags to compare (reasons.bags), or no accounts."
    where = "it exceeds one half nowhere" if large is None else f"{large:.1%} where it exceeds one half"
    return f"Between bags the largest share, that of the unexplained among them, changes in {every:.1%} of active accounts, {where}."


def summary(layout: Layout, params: Params) -> str:
    """What is known of the reasons of the model at hand."""
    why = CauseModel.load(layout.causes)
    changes = read_json(layout.reasons)["top_changes_between_bags"]
    precision, other = params.explain.precision, of_other_recipe(asdict(why.recipe))
    return "\n".join(
        [
            f"A reason is named where its share is {least_share(precision):.2f} or more: right in {precision:.0%} of the "
            "cases on markets with planted reasons" + (f", measured with other {', '.join(other)}." if other else "."),
            _steadiness(changes["all"], changes["large"]),
            in_words(dict(why.exits)),
        ]
    )
