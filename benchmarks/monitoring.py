"""False alarms of monitoring where nothing changed, and how soon it finds what was planted: `python -m benchmarks.monitoring`.

A market is simulated, the recipe fitted once, and each of the next twelve months scored and monitored with the limits of
`params.yaml`, without grades (labels are not needed); the models have fewer trees than `params.yaml` says, for time. Then the same market again, its tables changed from one month on.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from benchmarks.markets import Simulated, Tables, simulated
from market.scenarios import PLAIN
from models import competing
from models.causes import CauseModel, CauseRecipe
from models.monitoring import Check, Day, worst
from models.risk import RiskModel
from pipeline.monitor import Watched, drift_checks
from pipeline.params import Params, changed, load
from pipeline.train import fit_at

ROOT = Path(__file__).resolve().parent.parent
MONTHS = 12
FEWER = {"bags": 1, "rounds": 30}


def fewer_contacts(tables: Tables, since: pd.Timestamp) -> Tables:
    """Of the contacts from a day on every second one is not noted."""
    contacts = tables["contacts"]
    late = contacts["contacted_at"] >= since
    return {**tables, "contacts": contacts[~late | (contacts.reset_index(drop=True).index % 2 == 0)]}


def cents(tables: Tables, since: pd.Timestamp) -> Tables:
    """The amounts of orders from a day on are a hundred times what they were."""
    orders = tables["orders"]
    scale = (orders["ordered_at"] >= since).map({True: 100.0, False: 1.0})
    money = [name for name in ("amount", "list_amount", "margin") if name in orders]
    return {**tables, "orders": orders.assign(**{name: orders[name].astype(float) * scale for name in money})}


def no_complaints(tables: Tables, since: pd.Timestamp) -> Tables:
    """Complaints from a day on are not delivered any more."""
    complaints = tables["complaints"]
    return {**tables, "complaints": complaints[complaints["opened_at"] < since]}


def slow_rebates(tables: Tables, since: pd.Timestamp) -> Tables:
    """Rebates due from a day on are paid two months later than they were."""
    rebates = tables["rebates"]
    paid = rebates["paid_on"].where(rebates["due_on"] < since, rebates["paid_on"] + pd.Timedelta(days=60))
    return {**tables, "rebates": rebates.assign(paid_on=paid)}


PLANTED: Mapping[str, tuple[Callable[[Tables, pd.Timestamp], Tables], str]] = {
    "half of the contacts not noted": (fewer_contacts, "contact"),
    "amounts in cents": (cents, "amount"),
    "complaints not delivered": (no_complaints, "complaint"),
    "rebates paid two months later": (slow_rebates, "rebate"),
}


def main() -> None:
    """Print both tables, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_500)
    parser.add_argument("--seed", type=int, action="append", help="of the undrifted markets; default: 11 and 12")
    parser.add_argument("--planted", action=argparse.BooleanOptionalAction, default=True)
    given = parser.parse_args()
    params = load(ROOT, "simulated")
    params = params.model_copy(
        update={"train": changed(params.train, {"rounds": 100}), "reasons": changed(params.reasons, FEWER)}
    )
    periods = 42 + MONTHS
    seeds = given.seed or [11, 12]
    print(
        "| undrifted market | months | alarm | watch | checks | of them alarms | watched | which |\n|---|---|---|---|---|---|---|---|"
    )
    models = {}
    for seed in seeds:
        market = simulated(PLAIN, given.accounts, periods, seed, params)
        models[seed] = fitted(market, params)
        found = monitored(market, *models[seed], params)
        verdicts = Counter(worst([check.verdict for check in checks]) for checks in found.values())
        every = [check for checks in found.values() for check in checks]
        which = Counter(f"{check.kind} {check.name}".strip() for check in every if check.verdict != "fine")
        told = ", ".join(f"{name} ({times})" for name, times in which.most_common(6))
        alarms, watched = (sum(check.verdict == kind for check in every) for kind in ("alarm", "watch"))
        print(
            f"| seed {seed} | {len(found)} | {verdicts['alarm']} | {verdicts['watch']} | {len(every):,} | {alarms} | {watched} | {told} |",
            flush=True,
        )
    if not given.planted:
        return
    print("\n| planted | watch after | alarm after | of the features first alarmed, rightly named |\n|---|---|---|---|")
    since = pd.Timestamp(months_of(market)[0])
    for name, (change, part) in PLANTED.items():
        drifted = simulated(PLAIN, given.accounts, periods, seeds[-1], params, partial(change, since=since))
        found = monitored(drifted, *models[seeds[-1]], params)
        watch, alarm = (_delay(found, part, verdicts) for verdicts in (("watch", "alarm"), ("alarm",)))
        rightly = sum(part in check.name for check in _features(found, alarm))
        print(
            f"| {name} | {_months(watch)} | {_months(alarm)} | {rightly} of {len(_features(found, alarm))} |",
            flush=True,
        )


def months_of(market: Simulated) -> list[date]:
    """The months that are scored: the last MONTHS cut-offs."""
    return list(market.cutoffs[-MONTHS:])


def fitted(market: Simulated, params: Params) -> tuple[RiskModel, CauseModel]:
    """The models, fitted on what was known in the first month scored."""
    first = months_of(market)[0]
    matrix = market.matrix
    model = fit_at(matrix[matrix["as_of"] <= first], first, params.featurize, params.train)
    known = matrix[matrix["as_of"] < first]
    known = known.assign(label=known["label"].where(known["as_of"] <= params.featurize.horizon.before(first)))
    recipe = CauseRecipe(**params.reasons.model_dump())
    return model, competing.fit(competing.ahead(known, params.featurize.period, recipe.lead), model.features, recipe)


def monitored(market: Simulated, model: RiskModel, why: CauseModel, params: Params) -> dict[date, list[Check]]:
    """The checks of each month scored."""
    matrix = market.matrix.assign(risk=model.predict(market.matrix))
    found = {}
    for month in tqdm(months_of(market), desc="months", disable=None, leave=False):
        rows = matrix[matrix["as_of"] == month].set_index("account_id")
        backs = [params.featurize.period.before(month, back) for back in range(why.recipe.lags + 1)]
        shares = why.shares(matrix[matrix["as_of"].isin(backs) & matrix["account_id"].isin(rows.index)])
        scores = rows[["as_of", "lapsed", "risk"]].assign(naming="none").join(shares).reset_index()
        watched = Watched(params, model, why, scores, matrix[matrix["as_of"] < month])
        now = Day(month, rows[~rows["lapsed"].to_numpy(bool)], len(rows))
        found[month] = drift_checks(watched, now)[0]
    return found


def _features(found: Mapping[date, list[Check]], month: int | None) -> list[Check]:
    """The features that raised an alarm in that month."""
    if month is None:
        return []
    kinds = ("drift", "missing", "bounds", "unseen")
    return [check for check in list(found.values())[month] if check.kind in kinds and check.verdict == "alarm"]


def _delay(found: Mapping[date, list[Check]], part: str, verdicts: tuple[str, ...]) -> int | None:
    """The first month in which a feature whose name holds `part` had one of the verdicts."""
    for month, checks in enumerate(found.values()):
        if any(part in check.name and check.verdict in verdicts for check in checks):
            return month
    return None


def _months(delay: int | None) -> str:
    return f"not in {MONTHS} months" if delay is None else f"{delay} months"


if __name__ == "__main__":
    main()
