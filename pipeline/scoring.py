"""A scoring: risk, rank, money and reasons of every eligible account at one as_of, block by block of accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import expit
from tqdm import tqdm

from features.errors import LimitError
from features.matrix import SILENT
from models import naming
from models.campaign import Economics
from models.causes import CauseModel
from models.evidence import PAST
from models.profit import contact_profit
from models.risk import RiskModel
from pipeline.feature_rows import FeatureRows, feature_rows
from pipeline.frames import known_until, plan_from
from pipeline.layout import Layout
from pipeline.params import Params
from pipeline.phases import Phases
from pipeline.tables import opened


@dataclass(frozen=True)
class Scored:
    """A scoring: `scores` in the order of the rank; `rows` features of all cut-offs that it looked at."""

    scores: pd.DataFrame
    rows: FeatureRows

    @property
    def as_of(self) -> date:
        return self.rows.as_of

    def features(self, day: date, accounts: pd.Series[str] | None = None) -> pd.DataFrame:
        """The rows of one cut-off, of some accounts where given, index account_id."""
        return self.rows.read(day, None if accounts is None else accounts.tolist()).set_index("account_id")


@contextmanager
def scoring(
    model: RiskModel,
    why: CauseModel,
    layout: Layout,
    params: Params,
    as_of: date,
    everyone: bool = False,
    phases: Phases | None = None,
) -> Iterator[Scored]:
    """Scores ordered by rank; features can be read while the context lasts. Reasons are told of the `explain.rank`
    riskiest active and as many lapsed accounts, or of `everyone`.

    Accounts are ranked by risk; equal risks by expected loss, then by account, so that the order is certain.
    """
    phases = phases or Phases()
    plan = plan_from(dict(model.meta), params.featurize.block)
    phases.begin("features")
    backs, versions, judge = backs_of(why), model.meta["feature_versions"], partial(judged_rows, model)
    with feature_rows(layout, as_of, plan, params.featurize, model.features, backs, versions, judge) as rows:
        phases.begin("risk")
        blocks = tqdm(rows.blocks(rows.as_of), desc="risk", total=rows.count(rows.as_of), disable=None)
        parts = [risks(model, part, params.score.level) for part in blocks]
        frame = ranked(pd.concat(parts, ignore_index=True), params)
        phases.begin("reasons")
        most = len(frame) if everyone or params.explain.rank is None else params.explain.rank
        of_kind = frame.groupby(
            "lapsed"
        ).cumcount()  # lapsed accounts, riskier all, would leave no room for active ones
        explained = frame.loc[of_kind < most, "account_id"]
        days = sorted(plan.period.before(rows.as_of, back) for back in range(why.recipe.lags + 1))
        judged = tqdm(
            chain.from_iterable(rows.parts(day, explained.tolist()) for day in days),
            desc="reasons",
            total=sum(map(rows.count, days)) + len(days),
            disable=None,
        )
        share, learned = (part.reindex(explained) for part in why.shares_of_parts(judged))
        reasons = naming.name(share, learned, naming.least_share(params.explain.precision), params.explain.also)
        told = pd.concat([reasons, share], axis=1).reindex(frame["account_id"]).reset_index(drop=True)
        scores = pd.concat(
            [
                frame[["account_id", "as_of", "lapsed", "risk", "risk_low", "risk_high"]],
                frame[[name for name in SILENT if name in frame]],
                pd.Series(range(1, len(frame) + 1), name="rank"),
                frame[["amount_12", "expected_loss", "contact_profit"]],
                told,
            ],
            axis=1,
        )
        yield Scored(scores, rows)


def backs_of(why: CauseModel) -> list[int]:
    """How many periods before the as_of the cut-offs lie that a scoring and what explains it look at."""
    return sorted({*range(why.recipe.lags + 1), 1, PAST})


def settled_day(layout: Layout, params: Params, as_of: date | None) -> date:
    """The day to score at: `as_of`, or the day after the last order where it is None.

    Raises LimitError if the orders end more than `score.max_age` before it.
    """
    with opened(layout, params.featurize.memory) as (_, tables):
        until = known_until(tables)
    day, most = as_of or until, params.score.max_age
    if most is not None and most.after(until) < day:
        raise LimitError(
            f"orders: they end on {until - timedelta(days=1)}, {(day - until).days + 1} days before {day}; more than "
            f"{most} are too old to score (score.max_age). Ingest newer data, choose an earlier --as-of, or raise the limit."
        )
    return day


def judged_rows(model: RiskModel, day: date, part: pa.Table) -> pa.Table:
    """The part with the log-odds of its rows of `day`, by horizon, NaN of others: worked out where the part is."""
    now = part["as_of"].to_numpy() == np.datetime64(day)
    values = np.full((part.num_rows, 1 + len(model.steps)), np.nan)
    if now.any():
        frame = part.filter(pa.array(now)).to_pandas()
        values[now] = model.log_odds_by_horizon(frame, [model.main, *model.steps])
    for name, column in zip(_log_odds(model), values.T, strict=True):
        part = part.append_column(name, pa.array(np.ascontiguousarray(column)))
    return part


def _log_odds(model: RiskModel) -> list[str]:
    return [f"log_odds_{number}" for number in range(1 + len(model.steps))]


def risks(model: RiskModel, part: pa.Table, level: float) -> pd.DataFrame:
    """Of a block of judged accounts the risk with its interval, that of other horizons, and the amount of a year."""
    frame: pd.DataFrame = part.select(["account_id", "as_of", "lapsed", "amount_12", *_log_odds(model)]).to_pandas()
    by_horizon = frame[_log_odds(model)].to_numpy()
    chance = expit(by_horizon)
    low, high = model.interval(by_horizon[:, 0], level)
    told = frame[["account_id", "as_of", "lapsed"]].assign(risk=chance[:, 0], risk_low=low, risk_high=high)
    silent = pd.DataFrame(chance[:, 1:], index=frame.index, columns=list(SILENT[: len(model.steps)]))
    return pd.concat([told, silent, frame["amount_12"]], axis=1)


def ranked(frame: pd.DataFrame, params: Params) -> pd.DataFrame:
    """The accounts with what they would take along and what a contact earns, the riskiest first."""
    yearly = frame["amount_12"].clip(lower=0.0)  # who returned more than it bought has nothing to lose
    economics = Economics(**params.money.model_dump())
    active = ~frame["lapsed"].to_numpy(bool)
    value = economics.value(yearly)
    profit = contact_profit(frame["risk"], value, economics.terms(value[active]))
    frame = frame.assign(
        amount_12=yearly, expected_loss=frame["risk"] * yearly, contact_profit=np.where(active, profit, np.nan)
    )
    ranked: pd.DataFrame = frame.sort_values(
        ["risk", "expected_loss", "account_id"], ascending=[False, False, True], ignore_index=True
    )
    return ranked
