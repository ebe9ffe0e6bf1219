"""Stage monitor: a scoring against what its model learned from, past scorings against what became of them; verdicts."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from time import perf_counter
from typing import Any

import pandas as pd

from features.errors import ConfigurationError, LimitError
from features.periods import Duration
from models import monitoring
from models.advice import to_do
from models.causes import CauseModel
from models.drift import Bins
from models.freshness import ages
from models.grading import grade
from models.monitoring import Check, Day, Limit, Ranges, judge, worst
from models.risk import RiskModel
from pipeline import history
from pipeline.artifacts import read_frame, read_json
from pipeline.chosen_model import resolve_model
from pipeline.feature_rows import features_at
from pipeline.frames import known_until, plan_from, read_matrix, write_text
from pipeline.layout import Layout
from pipeline.params import Monitor, Params
from pipeline.tables import opened
from reports.language import speaking
from reports.monitoring import Page, render

log = logging.getLogger("holdfast")
YEAR = Duration(12, "month")
PICTURES = 12  # features drawn, at most


@dataclass(frozen=True)
class Watched:
    """What a scoring is judged from: models, `scores` as written, the matrix with `risk`, its cut-offs before as_of."""

    params: Params
    model: RiskModel
    why: CauseModel
    scores: pd.DataFrame
    matrix: pd.DataFrame

    @property
    def as_of(self) -> date:
        day: date = self.scores["as_of"].iloc[0]
        return day

    @property
    def trained(self) -> list[date]:
        """The cut-offs that the risk model learned from."""
        return [date.fromisoformat(day) for day in self.model.meta["train_cutoffs"]]

    @property
    def limits(self) -> dict[str, Limit]:
        ends = self.params.monitor.model_dump(exclude={"chance", "pairs"})
        return {name: Limit(*pair) for name, pair in ends.items()}

    def at(self, day: date) -> Day:
        """The accounts of a cut-off of the matrix."""
        rows = self.matrix[self.matrix["as_of"] == day].set_index("account_id")
        return Day(day, rows[~rows["lapsed"].to_numpy(bool)], len(rows))

    def losses(self, day: date, accounts: int) -> pd.DataFrame:
        """Expected losses by account and reason of the riskiest active accounts of a cut-off, by today's models."""
        period = Duration.parse(self.model.meta["period"])
        riskiest = self.at(day).active["risk"].nlargest(accounts)
        backs = [period.before(day, back) for back in range(self.why.recipe.lags + 1)]
        rows = self.matrix[self.matrix["as_of"].isin(backs) & self.matrix["account_id"].isin(riskiest.index)]
        return self.why.shares(rows).fillna(0.0).mul(riskiest, axis=0)


def run(layout: Layout, params: Params, model: str | None = None, strict: bool = True) -> None:
    """Write `monitoring.json` and `monitoring.html`.

    Raises ConfigurationError if a stage has not run yet or another model made the scores, LimitError if `strict` and a
    check has the verdict alarm.
    """
    started = perf_counter()
    scores = read_frame(layout.scores)
    day: date = scores["as_of"].iloc[0]
    risk, why, _ = resolve_model(layout, model)
    _made_by(layout, risk, day)
    watched = Watched(params, risk, why, scores, _past(layout, risk, day))
    kept = history.every(layout)
    with opened(layout, params.featurize.memory) as (_, tables):
        checks = freshness_checks(watched, ages(tables, day))
        label = plan_from(dict(risk.meta), params.featurize.block).label
        certainty = (params.evaluate.bootstrap, params.evaluate.level, params.evaluate.seed)
        grades, pending = grade(
            history.scorings(kept, label), tables, known_until(tables), certainty, params.monitor.chance
        )
    drifted, compared = drift_checks(watched, _scored(layout, params, risk, scores))
    checks += drifted
    judged = [graded for graded in grades if graded["foresight"]]
    if judged:
        checks += monitoring.grade_checks(judged[-1], watched.limits, params.explain.precision)
    found = {
        "source": layout.source,
        "as_of": str(day),
        "model": risk.content_hash,
        "verdict": worst([check.verdict for check in checks]),
        "counts": {kind: sum(check.verdict == kind for check in checks) for kind in monitoring.VERDICTS},
        "chance": params.monitor.chance,
        "level": params.evaluate.level,
        **compared,
        "checks": [check.record() | {"do": to_do(check)} for check in _worst_first(checks)],
        "weights": weights_of(risk),
        "grades": grades,
        "pending": [str(past) for past in pending],
        "scorings": [_told(past) for past in kept],
    }
    write_text(json.dumps(found, indent=1) + "\n", layout.monitoring)
    with speaking(params.report.languages[0]):
        write_text(render(Page(found)), layout.monitoring_page)
    alarms = [check for check in checks if check.verdict == "alarm"]
    log.info(
        "monitor %s: %s at %s: %s checks, %s to watch, %s alarms; %s of %s scorings kept have matured; %.1f s; wrote %s",
        layout.source,
        found["verdict"],
        day,
        f"{len(checks):,}",
        f"{found['counts']['watch']:,}",
        f"{len(alarms):,}",
        len(grades),
        len(kept),
        perf_counter() - started,
        layout.monitoring_page,
    )
    if strict and alarms:
        first = "; ".join(
            f"{check.kind} {check.name}".strip() + f" {check.value:.3g} > {check.alarm:.3g}" for check in alarms[:5]
        )
        more = f"; and {len(alarms) - 5} more" if len(alarms) > 5 else ""
        raise LimitError(f"{len(alarms)} limits are passed: {first}{more}. {layout.monitoring_page} says what to do.")


def freshness_checks(watched: Watched, tables: pd.DataFrame) -> list[Check]:
    """Age of each table's rows (`models.freshness.ages`) and of the model."""
    limits, found = watched.limits, []
    for row in tables.to_dict("records"):
        longest = float(row["longest"])
        found.append(
            judge(
                "stale_days", str(row["table"]), float(row["days"]), limits["stale_days"], None, partial(float, longest)
            )
        )
    until = watched.model.meta.get("known_until")
    if until is not None:
        days = max((watched.as_of - date.fromisoformat(until)).days, 0)
        found.append(judge("model_days", "", days, limits["model_days"]))
    return found


def drift_checks(watched: Watched, now: Day) -> tuple[list[Check], dict[str, Any]]:
    """The checks against the reference, and with what was compared: "reference", "reasons" and "pictures" for the page."""
    given, limits, names = watched.params.monitor, watched.limits, watched.model.features
    cutoffs = sorted(set(watched.matrix["as_of"]))
    trained = [day for day in watched.trained if day <= watched.as_of]
    before = monitoring.reference_of(cutoffs, watched.as_of, YEAR.before(watched.as_of), trained)
    if before is None:
        return [], {"reference": None, "reasons": {}, "pictures": {}}
    then = watched.at(before)
    days = monitoring.past_pairs(cutoffs, watched.as_of, before, given.pairs)
    pairs = [(watched.at(first), watched.at(second)) for first, second in days]
    seen = Ranges.of(watched.matrix[watched.matrix["as_of"].isin(trained)], names)
    until = max(trained, default=before)
    checks = [
        *monitoring.population(then, now, pairs, limits, given.chance),
        *monitoring.risks(then, now, pairs, limits, given.chance, watched.params.evaluate.seed),
        *monitoring.features(then, now, pairs, weights_of(watched.model), limits, given.chance),
        *monitoring.ranges(now, pairs, seen, until, weights_of(watched.model), limits),
    ]
    mix, reasons = _mix(watched, then.as_of, days, given)
    told = {
        "reference": {
            "as_of": str(before),
            "season": abs((before - YEAR.before(watched.as_of)).days) <= monitoring.NEAR,
            "accounts": len(then.active),
            "eligible": then.eligible,
            "now": {"accounts": len(now.active), "eligible": now.eligible},
            "expected_share": float(then.active["risk"].mean()),
            "expected_share_now": float(now.active["risk"].mean()),
            "pairs": len(days),
        },
        "reasons": reasons,
        "pictures": _pictures(then, now, checks),
    }
    return [*checks, *mix], told


def _mix(
    watched: Watched, before: date, days: Sequence[tuple[date, date]], given: Monitor
) -> tuple[list[Check], dict[str, Any]]:
    """The check of the mix of reasons, and the shares then and now with intervals."""
    certain = watched.params.evaluate
    active = watched.scores[~watched.scores["lapsed"].to_numpy(bool) & watched.scores["naming"].notna().to_numpy()]
    if active.empty:
        return [], {}
    shares = active.filter(like="share_").fillna(0.0).set_axis(active["account_id"], axis=0)
    now = shares.mul(active.set_index("account_id")["risk"], axis=0)
    then = watched.losses(before, len(now))[list(now.columns)]

    def past() -> list[tuple[pd.DataFrame, pd.DataFrame]]:
        return [(watched.losses(first, len(now)), watched.losses(second, len(now))) for first, second in days]

    check = monitoring.reason_mix(then, now, past, watched.limits["reason_mix"], given.chance, certain.seed)
    told = [monitoring.mix_intervals(frame, certain.bootstrap, certain.level, certain.seed) for frame in (then, now)]
    return [check], {
        code.removeprefix("share_"): {"before": told[0][code], "now": told[1][code]} for code in map(str, now.columns)
    }


def _pictures(then: Day, now: Day, checks: Sequence[Check]) -> dict[str, Any]:
    """Bins of the features to look at, drifted most, and of the risk: what the page draws."""
    moved = [check for check in checks if check.kind == "drift" and check.verdict != "fine"]
    names = ["risk", *(check.name for check in sorted(moved, key=lambda check: -check.value)[:PICTURES])]
    found = {}
    for name in names:
        bins = Bins.of(then.active[name])
        found[name] = {
            "edges": [float(edge) for edge in bins.edges],
            "before": (bins.counts(then.active[name]) / max(len(then.active), 1)).tolist(),
            "now": (bins.counts(now.active[name]) / max(len(now.active), 1)).tolist(),
        }
    return found


def _worst_first(checks: Sequence[Check]) -> list[Check]:
    """Alarms, then what to watch, then the rest, in the order they were made."""
    return sorted(checks, key=lambda check: -monitoring.VERDICTS.index(check.verdict))


def _made_by(layout: Layout, risk: RiskModel, day: date) -> None:
    """Raise ConfigurationError if the scores are known to be of another model."""
    told = read_json(layout.live) if layout.live.exists() else {}
    if told.get("as_of") == str(day) and told["model"] != risk.content_hash:
        raise ConfigurationError(
            f"{layout.scores} was made by the model {told['model']}, this is {risk.content_hash}. Give the same --model "
            f"as to score, or run `holdfast score --source {layout.source}` again."
        )


def _past(layout: Layout, risk: RiskModel, day: date) -> pd.DataFrame:
    """The matrix up to the day before `day`, with the risk by the model.

    Raises ConfigurationError if it lacks a feature of the model.
    """
    matrix = read_matrix(layout.matrix)
    if lacking := [name for name in risk.features if name not in matrix]:
        raise ConfigurationError(
            f"The matrix in {layout.matrix} lacks {lacking[0]}, a feature of the model. Run `holdfast featurize --source "
            f"{layout.source}` with the code that trained it, or train again."
        )
    past = matrix.loc[matrix["as_of"] < day, ["account_id", "as_of", "lapsed", *risk.features]]
    return past.assign(risk=risk.predict(past)).reset_index(drop=True)


def _scored(layout: Layout, params: Params, risk: RiskModel, scores: pd.DataFrame) -> Day:
    """The accounts of the scoring with their features as they were kept, else built again from the tables."""
    day: date = scores["as_of"].iloc[0]
    kept = history.at(layout, day)
    if kept is not None and kept.meta["model"] == risk.content_hash:
        rows = kept.features
    else:
        plan = plan_from(dict(risk.meta), params.featurize.block)
        rows = features_at(layout, day, plan, params.featurize, risk.features).set_index("account_id")
    told = scores.set_index("account_id")
    active = told.index[~told["lapsed"].to_numpy(bool)]
    return Day(day, rows.loc[active, risk.features].assign(risk=told.loc[active, "risk"]), len(told))


def weights_of(risk: RiskModel) -> dict[str, float]:
    """The part of the model's gain that each feature brings."""
    gain = risk.booster.feature_importance("gain")[: len(risk.features)]
    total = float(gain.sum()) or 1.0
    return {name: float(value) / total for name, value in zip(risk.features, gain, strict=True)}


def _told(past: history.Past) -> dict[str, Any]:
    """What the page tells of a scoring kept: how many active accounts, the share expected to be lost, the mix of reasons."""
    active = past.scores[~past.scores["lapsed"].to_numpy(bool)]
    shares = active.filter(like="share_").fillna(0.0).mul(active["risk"], axis=0).sum()
    return {
        "as_of": str(past.as_of),
        "model": past.meta["model"],
        "accounts": len(active),
        "expected_share": float(active["risk"].mean()) if len(active) else None,
        "reasons": {
            str(name).removeprefix("share_"): float(value) for name, value in (shares / (shares.sum() or 1.0)).items()
        },
    }
