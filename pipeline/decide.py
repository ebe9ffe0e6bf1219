"""Stage decide: from risk to action. Classes, worklist, what if a manager left, win-back, prospects, economics."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from features import leaving, purchases
from features.declaration import Expression
from features.files import written
from features.periods import Duration, Label
from models import approaches, hindsight, hours, kinds, leavers, prospects, segments, win_back, worklist
from models.avoidable import avoidable_risk
from models.campaign import Economics
from models.causes import CauseModel
from models.economics import Given, Winning, compare
from models.lineage import read_lineage
from models.playbook import playbook
from models.risk import RiskModel
from models.shares import UNEXPLAINED
from models.taxonomy import observable, taxonomy
from pipeline import history
from pipeline.artifacts import read_frame, require_same_scoring
from pipeline.chosen_model import models_of_scores, require_scored_tables
from pipeline.feature_rows import features_at
from pipeline.frames import columns_of, known_until, plan_from, read_matrix, write_frame, write_text
from pipeline.layout import Layout
from pipeline.params import Params
from pipeline.tables import opened

log = logging.getLogger("holdfast")
WHO = ("name", "region")  # columns of the table accounts that the report shows, where they are there
MANAGER = {"name": "str", "level": "str", "hired_on": "object", "monthly_hours": "float64"}
AVOIDABLE, SILENT = "avoidable", "silent"  # the risk by which the worklist is chosen
LEFT_SINCE = "manager_left_since"
PAST = ("account_id", "as_of", "label", "lapsed", "amount_12")  # what is read of all rows of the matrix
STRATEGIC = ("EI", "EII")  # whose contribution is high, and so their cases are not closed (004)


@dataclass(frozen=True)
class Seen:
    """What the decisions are made from, read once: all as known at `as_of`."""

    layout: Layout
    params: Params
    model: RiskModel
    why: CauseModel
    tables: Mapping[str, Expression]
    scores: pd.DataFrame
    previous: pd.DataFrame
    past: pd.DataFrame  # the matrix before, of its columns PAST and LEFT_SINCE, where it has it
    features: pd.DataFrame  # of the accounts scored, with account_id, as_of, lapsed

    @property
    def as_of(self) -> date:
        day: date = self.scores["as_of"].iloc[0]
        return day

    @property
    def period(self) -> Duration:
        """The model's: `params.yaml` may have changed since it was trained."""
        return Duration.parse(self.model.meta["period"])

    @property
    def economics(self) -> Economics:
        return Economics(**self.params.money.model_dump())


def run(layout: Layout, params: Params) -> None:
    """Write `decisions/`: a table for each kind of decision, and `decisions.json` with what is no table."""
    started = perf_counter()
    scores = read_frame(layout.scores)
    require_same_scoring(layout.scores, [layout.previous])
    model, why = models_of_scores(layout)
    day: date = scores["as_of"].iloc[0]
    plan = plan_from(dict(model.meta), params.featurize.block)
    features = features_at(layout, day, plan, params.featurize, model.features)
    require_scored_tables(layout)  # after they were read, so that a damaged one is told as such
    with opened(layout, params.featurize.memory) as (connection, tables):
        seen = Seen(
            layout,
            params,
            model,
            why,
            tables,
            scores,
            read_frame(layout.previous),
            _past(layout, plan.label, day),
            features,
        )
        frames, told = _customers(seen)
        left = leavers.if_left(connection, tables, day, plan, model, features, params.leavers.ago)
        _decide(seen, left, frames, told)
    told["lineage"] = read_lineage(layout.scores)
    with written(layout.decisions) as folder:
        for name, frame in frames.items():
            write_frame(frame, folder / f"{name}.parquet", told["lineage"])
        write_text(json.dumps(told, indent=1, sort_keys=True, default=str) + "\n", folder / "decisions.json")
    do = frames["worklist"]["decision"] == "do"
    log.info(
        "decide %s: %s of %s active accounts on the worklist, %.0f expected net profit; %s lapsed to talk to; %.1f s; wrote %s",
        layout.source,
        f"{int(do.sum()):,}",
        f"{len(do):,}",
        frames["worklist"].loc[do, "profit"].sum(),
        f"{int((frames['win_back']['decision'] == win_back.TALK).sum()):,}",
        perf_counter() - started,
        layout.decisions,
    )


def _past(layout: Layout, label: Label, day: date) -> pd.DataFrame:
    """The matrix as it was known at `day`: no cut-off after it, no label that had not matured."""
    shown = LEFT_SINCE in columns_of(layout.matrix)
    rows = read_matrix(layout.matrix, columns=[*PAST, *([LEFT_SINCE] if shown else [])])
    rows = rows[rows["as_of"] <= day].reset_index(drop=True)
    matured = [as_of for as_of in rows["as_of"].unique() if label.matures(as_of) <= day]
    return rows.assign(label=rows["label"].where(rows["as_of"].isin(matured)))


def _customers(seen: Seen) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The accounts with class, kind and who looks after them; their purchases; and how they moved between classes."""
    rules = segments.Rules(**seen.params.segments.model_dump())
    then: date = seen.previous["as_of"].iloc[0] if len(seen.previous) else seen.as_of
    known = {day: _bought(seen, day, rules.history) for day in (then, seen.as_of)}
    bought, ever = known[seen.as_of]
    measures = {day: segments.measure(*found, seen.period, day, rules) for day, found in known.items()}
    limits = segments.Thresholds.of(measures[seen.as_of], rules)
    before, now = (segments.classify(measures[day], limits) for day in (then, seen.as_of))
    kind = kinds.kinds(
        seen.tables, bought, ever, seen.period, seen.as_of, kinds.Rules(**seen.params.kinds.model_dump())
    )
    accounts = seen.scores[["account_id", "as_of", "lapsed", "risk", "risk_low", "risk_high", "rank", "amount_12"]]
    accounts = accounts.assign(expected_loss=seen.scores["expected_loss"], contact_profit=seen.scores["contact_profit"])
    for table in (
        _who(seen),
        now[["account_id", "class", "not_known", "contribution", "stability", "size"]],
        before[["account_id", "class"]].rename(columns={"class": "class_before"}),
        kind.accounts[["account_id", "kind", "habit"]],
        ever[["account_id", "first_order_on", "last_order_on"]],
        seen.scores[["account_id", "naming", "reason_1", "reason_2", "reason_3"]],
    ):
        accounts = accounts.merge(table, how="left", on="account_id", validate="one_to_one")
    scored = set(accounts["account_id"])
    told = {
        "period": str(seen.period),
        "history_periods": rules.history,
        "segments": {name: value if isfinite(value) else None for name, value in asdict(limits).items()}
        | {"concentration": asdict(segments.concentration(now["contribution"]))},
        "kinds": {"not_known": list(kind.not_known), "prospects": kind.prospects["kind"].value_counts().to_dict()},
        "migration": {
            "since": str(then),
            "cells": segments.migration(before, now).to_dict("records") if then < seen.as_of else [],
        },
    }
    return {"accounts": accounts, "history": bought[bought["account_id"].isin(scored)]}, told


def _decide(seen: Seen, left: leavers.Leavers, frames: dict[str, pd.DataFrame], told: dict[str, Any]) -> None:
    """Add the decisions to `frames`, and what of them is no table to `told`."""
    evaluate = seen.params.evaluate
    managers = _managers(seen)
    frames["leavers"] = left.accounts
    frames["managers"] = left.managers.merge(managers, how="left", on="manager_id")
    told["leavers"] = {
        "lacking": left.lacking,
        "unattended": left.unattended,
        "experience": leavers.experience(seen.past, evaluate.bootstrap, evaluate.level, evaluate.seed),
    }
    at_stake, by = _at_stake(seen, frames["accounts"])
    listed = _worklist(seen, at_stake, managers)
    frames["worklist"] = _readable(listed.frame, at_stake)
    told["worklist"] = listed.summary | {"by": by}
    label = plan_from(dict(seen.model.meta), seen.params.featurize.block).label
    tried = approaches.approaches(seen.tables, seen.past, label, seen.as_of)
    frames["win_back"], told["win_back"] = _win_back(seen, frames["accounts"], tried)
    judged = prospects.judge(
        prospects.read(seen.tables, seen.as_of), prospects.Judging(**seen.params.prospects.model_dump())
    )
    frames["prospects"] = judged.prospects
    told["prospects"] = {"high": judged.high, "lacking": judged.lacking}
    told["economics"] = compare(
        Given(
            seen.tables,
            seen.past,
            seen.as_of,
            tried,
            frames["win_back"],
            seen.economics,
            Winning(**seen.params.economics.model_dump()),
        ),
        evaluate.bootstrap,
        evaluate.level,
        evaluate.seed,
    )
    told["hindsight"] = _hindsight(seen)


def _at_stake(seen: Seen, accounts: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The active accounts with `at_stake`, the risk that an action could lower, and what that is: AVOIDABLE where the data
    can show at least half of the reasons that the company can remove, else SILENT, the risk itself."""
    active = accounts[~accounts["lapsed"].to_numpy(bool)]
    curable = set(taxonomy().remedies)
    if 2 * len(curable & set(observable(seen.model.features))) < len(curable):
        return active.assign(at_stake=active["risk"]), SILENT
    rows = seen.features.set_index("account_id").loc[active["account_id"]].reset_index()
    return active.assign(at_stake=avoidable_risk(active["risk"], seen.why.hazards(rows).sum(axis=1))), AVOIDABLE


def _worklist(seen: Seen, active: pd.DataFrame, managers: pd.DataFrame) -> worklist.Worklist:
    value = seen.economics.value(active["amount_12"])
    candidates = pd.DataFrame(
        {
            **{name: active[name] for name in ("account_id", "manager_id", "region", "class")},
            "reason": worklist.reason_to_act_on(active),
            "risk": active["at_stake"],
            "value": value,
        }
    )
    rules = hours.Rules(**seen.params.worklist.model_dump())
    planned = worklist.planned(candidates, playbook(), seen.as_of)
    return worklist.choose(planned, seen.economics.terms(value), rules, hours.manager_hours(managers, rules))


def _readable(listed: pd.DataFrame, active: pd.DataFrame) -> pd.DataFrame:
    """The worklist with names, risk and the playbook's words, so that a file of it can be worked with alone; `naming` says
    whether to ask first, `other_reason` is the other candidate."""
    told = ["naming", "reason_1", "reason_2"]
    about = active[["account_id", "name", "manager", *told, "risk", "at_stake", "expected_loss"]]
    found = listed.merge(about, how="left", on="account_id", validate="one_to_one")
    other = found["reason_1"].mask(found["reason_1"] == found["reason"], found["reason_2"])
    found = found.assign(other_reason=other.where(found["naming"] == "candidates"))
    pairs = zip(found["reason"].fillna(UNEXPLAINED), found["class"], strict=True)
    steps = [playbook().step(reason, None if pd.isna(code) else code) for reason, code in pairs]
    return found.assign(what=pd.Series([step.do for step in steps], found.index, dtype="str"))[
        [
            *("place", "account_id", "name", "manager_id", "manager", "region", "class", "reason", "naming"),
            *("other_reason", "action", "what"),
            *("owner", "until", "hours", "risk", "at_stake", "expected_loss", "profit", "decision", "why"),
        ]
    ]


def _win_back(seen: Seen, accounts: pd.DataFrame, tried: approaches.Approaches) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Lapsed accounts by what approaching them is worth, and the mean chance of an order."""
    terms = win_back.WinBack(**seen.params.win_back.model_dump())
    found = win_back.posterior(terms, tried, seen.params.evaluate.level)
    lapsed = accounts[accounts["lapsed"].to_numpy(bool)]
    strategic = (lapsed["class"].isin(STRATEGIC) | (lapsed["kind"] == "vip")).astype("boolean")
    used_to = approaches.bought_before(seen.tables, lapsed["account_id"], seen.as_of)
    rows = lapsed.assign(
        yearly=lapsed["account_id"].map(used_to).clip(lower=0.0),
        strategic=strategic.mask(lapsed["class"].isna() & (lapsed["kind"] != "vip")),
    )
    active = accounts[~accounts["lapsed"].to_numpy(bool)]
    costs = seen.economics.terms(seen.economics.value(active["amount_12"]))
    risks = None
    if len(tried.rows):
        keys = tried.rows[["account_id", "as_of"]]
        then = read_matrix(seen.layout.matrix, sorted(set(keys["as_of"])), set(keys["account_id"]))
        risks = np.asarray(seen.model.predict(keys.merge(then, on=["account_id", "as_of"])), dtype=np.float64)
    return win_back.win_back(rows, found["value"], seen.economics, costs, terms, taxonomy().objective, risks), found


def _hindsight(seen: Seen) -> dict[str, Any]:
    """What became of the scorings kept that have matured, as records ready for JSON."""
    label = plan_from(dict(seen.model.meta), seen.params.featurize.block).label
    until = known_until(dict(seen.tables))
    scorings = history.scorings(history.every(seen.layout), label)
    found = hindsight.hindsight(scorings, seen.tables, until, seen.params.report.accounts, seen.params.evaluate.level)
    tables = {name: getattr(found, name).to_dict("records") for name in ("scorings", "calibration", "reasons")}
    return {**tables, "pending": [str(day) for day in found.pending]}


def _bought(seen: Seen, day: date, periods: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each account bought by period before `day`, and its first and last order until then."""
    orders = seen.tables["orders"]
    return purchases.by_period(orders, seen.period, day, periods), purchases.over_all_time(orders, day)


def _who(seen: Seen) -> pd.DataFrame:
    """account_id, name, region, manager_id, manager (name) and manager_since of the accounts; null where not known."""
    who = pd.DataFrame({"account_id": seen.scores["account_id"]})
    columns = [name for name in WHO if "accounts" in seen.tables and name in seen.tables["accounts"].columns]
    if columns:
        table = seen.tables["accounts"].select("account_id", *columns).to_pyarrow().to_pandas()
        who = who.merge(table, how="left", on="account_id", validate="one_to_one")
    charge = leaving.in_charge(seen.tables, seen.as_of).rename(columns={"started_on": "manager_since"})
    who = who.merge(charge, how="left", on="account_id", validate="one_to_one")
    names = _managers(seen)[["manager_id", "name"]].rename(columns={"name": "manager"})
    who = who.merge(names, how="left", on="manager_id")
    return who.reindex(columns=["account_id", *WHO, "manager_id", "manager", "manager_since"])


def _managers(seen: Seen) -> pd.DataFrame:
    """manager_id with name, level, hired_on and monthly_hours, where the table managers tells them."""
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in {"manager_id": "str", **MANAGER}.items()})
    if "managers" not in seen.tables:
        return empty
    table = seen.tables["managers"]
    chosen = ["manager_id", *(name for name in MANAGER if name in table.columns)]
    found: pd.DataFrame = table.select(*chosen).to_pyarrow().to_pandas()
    return found.reindex(columns=empty.columns).astype({"monthly_hours": float})
