"""What the worklist earns against ranking by risk and by value, where it is known what an action does.

On simulated markets every account has true hazards and true responses to a contact and to each countermeasure
(`market/truth.py`). At test cut-offs the models of `holdfast train` say whom to act on; an action is a contact and the
countermeasure of the reason that is named, taken at the as_of. It keeps, for the months of the horizon, what it truly takes
off the chance to decide to leave, times the account's yearly margin; its hours cost money. Run as

    python -m benchmarks.worklist

which measures six markets and writes the table into `docs/worklist.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.markets import Simulated, simulated
from market.hazards import COUNTERED, HELPED
from market.scenarios import SCENARIOS
from models import competing, naming
from models.allocation import greedy
from models.avoidable import avoidable_risk
from models.campaign import Economics
from models.causes import CauseModel, CauseRecipe
from models.hours import Limits, Rules, manager_hours
from models.metrics import multiplicities
from models.playbook import playbook
from models.risk import RiskModel
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy
from models.worklist import choose, hour_cost, planned, reason_to_act_on
from pipeline.frames import label_of, write_text
from pipeline.params import Params, changed, load
from pipeline.train import fit_at

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "worklist.md"
ACCOUNTS, PERIODS = 3_000, 48  # of a simulated market
SEEDS = (201, 202, 203, 204, 205, 206)  # nothing was chosen on them
TESTS, APART = 2, 3  # test cut-offs, and periods between them
RESAMPLES, LEVEL = 1_000, 0.95
CODES = (*taxonomy().codes, UNEXPLAINED)
OURS = "worklist"
POLICIES = {
    OURS: "worklist",
    "contact_only": "worklist without reasons: a contact, nothing else",
    "silence": "worklist by the risk of silence, not by what can be avoided of it",
    "risk_same_hours": "by risk, in the hours that the worklist takes of each manager",
    "value_same_hours": "by value, in the same hours",
    "loss_same_hours": "by risk x value, in the same hours",
    "risk": "by risk, until the hours are filled",
    "value": "by value, until the hours are filled",
}


def measure(seed: int, accounts: int, periods: int, params: Params) -> pd.DataFrame:
    """One market: by `policy`, `as_of` and account acted on `hours`, `cost`, `kept` (money, true) and `expected` profit;
    and a row of zeros for every candidate, with policy "" and the `capacity` in hours at that cut-off."""
    market = simulated(SCENARIOS["plain"], accounts, periods, seed, params)
    period, label = params.featurize.period, label_of(params.featurize)
    tests = sorted(period.before(market.cutoffs[-1], APART * back) for back in range(TESTS))
    recipe = CauseRecipe(**params.reasons.model_dump())
    known = market.matrix[[label.matures(as_of) <= tests[0] for as_of in market.matrix["as_of"]]]
    why = competing.fit(competing.ahead(known, period, recipe.lead), list(market.features), recipe, progress=False)
    parts = []
    for day in tests:
        risk = fit_at(market.matrix, day, params.featurize, params.train)
        parts.append(_at(market, day, risk, why, params))
    return pd.concat(parts, ignore_index=True).assign(seed=seed)


def _at(market: Simulated, day: date, model: RiskModel, why: CauseModel, params: Params) -> pd.DataFrame:
    """`measure` at one cut-off."""
    economics, rules, book = Economics(**params.money.model_dump()), Rules(**params.worklist.model_dump()), playbook()
    rows = market.matrix[(market.matrix["as_of"] == day) & ~market.matrix["lapsed"]].reset_index(drop=True)
    risk = model.predict(rows)
    accounts = pd.DataFrame(
        {
            "account_id": rows["account_id"],
            "manager_id": rows["account_id"].map(managers_at(market.staff["assignments"], day)),
            "region": rows["account_id"].map(market.staff["accounts"].set_index("account_id")["region"]),
            "class": None,
            "reason": _to_act_on(market, rows, day, why, params),
            "risk": avoidable_risk(risk, why.hazards(rows).sum(axis=1)),
            "value": economics.value(rows["amount_12"]),
        }
    )
    terms = economics.terms(accounts["value"])
    candidates = planned(accounts, book, day)
    cost = hour_cost(candidates["hours"].to_numpy(), terms, rules.hour_cost)
    rules, hours_of = replace(rules, hour_cost=cost), manager_hours(market.staff["managers"], rules)
    plain = planned(accounts.assign(reason=None), book, day)
    value = candidates["value"].to_numpy()
    with_reason = (
        kept_chance(market.truth, candidates["account_id"], day, candidates["reason"].to_numpy(object)) * value
    )
    without = kept_chance(market.truth, candidates["account_id"], day, np.full(len(rows), UNEXPLAINED)) * value
    results = []

    def note(policy: str, taken: BoolArray, given: pd.DataFrame, kept: FloatArray, expected: FloatArray) -> None:
        hours = given["hours"].to_numpy()[taken]
        told = {"hours": hours, "cost": hours * cost, "kept": kept[taken], "expected": expected[taken]}
        results.append(given.loc[taken, ["account_id"]].assign(policy=policy, actions=1, **told))

    for policy, given, kept in (
        (OURS, candidates, with_reason),
        ("contact_only", plain, without),
        ("silence", candidates.assign(risk=risk), with_reason),
    ):
        found = choose(given, terms, rules, hours_of)
        listed = found.frame.set_index("account_id").reindex(given["account_id"])
        taken = (listed["decision"] == "do").to_numpy(bool)
        note(policy, taken, given, kept, listed["profit"].to_numpy())
        if policy == OURS:
            used = {row["manager_id"] or row["region"]: row["used"] for row in found.summary["managers"]}
            capacity = found.summary["capacity"]
    minutes = (candidates["hours"].to_numpy() * 60).round().astype(np.int64)
    limits = Limits.of(candidates, np.ones(len(rows)), minutes, replace(rules, class_share={}), hours_of)
    same = np.array([round(used[manager or region] * 60) for manager, region in limits.groups], dtype=np.int64)
    for policy, key, most in (
        ("risk_same_hours", risk, same),
        ("value_same_hours", value, same),
        ("loss_same_hours", risk * value, same),
        ("risk", risk, limits.limits),
        ("value", value, limits.limits),
    ):  # greedy goes by profit a minute: times the minutes, it goes by the key itself
        note(policy, greedy(key * minutes, minutes, limits.draws, most), candidates, with_reason, np.zeros(len(rows)))
    everyone = candidates[["account_id"]].assign(policy="", actions=0, hours=0.0, cost=0.0, kept=0.0, expected=0.0)
    return pd.concat([everyone, *results], ignore_index=True).assign(as_of=day, capacity=capacity)


def _to_act_on(
    market: Simulated, rows: pd.DataFrame, day: date, why: CauseModel, params: Params
) -> npt.NDArray[np.object_]:
    """The reason that `holdfast decide` plans for each row."""
    days = [params.featurize.period.before(day, back) for back in range(why.recipe.lags + 1)]
    at = market.matrix["as_of"].isin(days) & market.matrix["account_id"].isin(rows["account_id"])
    share, learned = (part.reindex(rows["account_id"]) for part in why.shares_and_learned(market.matrix[at]))
    told = naming.name(share, learned, naming.least_share(params.explain.precision), params.explain.also)
    return reason_to_act_on(told).fillna(UNEXPLAINED).to_numpy(object)


def managers_at(assignments: pd.DataFrame, day: date) -> pd.Series[str]:
    """Who looks after each account on the day before `day`, as far as was known then; index account_id."""
    at = pd.Timestamp(day)
    started, ended = pd.to_datetime(assignments["started_on"]), pd.to_datetime(assignments["ended_on"])
    rows = assignments.assign(started=started)[(started < at) & ~(ended < at)]
    return (
        rows.sort_values(["started", "manager_id"])
        .drop_duplicates("account_id", keep="last")
        .set_index("account_id")["manager_id"]
    )


def kept_chance(
    truth: pd.DataFrame, account_id: pd.Series[str], day: date, named: npt.NDArray[np.object_], months: int = 3
) -> FloatArray:
    """By how much an action at `day` truly lowers the chance to decide to leave in the `months` from then on, (n,).

    The action is a contact, which does nothing more where the account had one, and the countermeasure of the `named` reason.
    0 for accounts that had decided already. A month after an account's loss has the hazards of its last one.
    """
    without, acted = np.zeros(len(account_id)), np.zeros(len(account_id))
    months_ = [pd.Timestamp(day) + pd.DateOffset(months=number) for number in range(months)]
    states = [truth[truth["period"] == month].set_index("account_id").reindex(account_id) for month in months_]
    hazards, effects = [f"hazard_{code}" for code in CODES], [f"effect_{code}" for code in COUNTERED]
    helped = np.array([HELPED[code] for code in CODES])
    columns = [*hazards, *effects, "effect_contact", "contacted"]
    values = np.full((len(account_id), len(columns)), np.nan)
    for later in states:
        own = later[columns].astype(float).to_numpy()
        values = np.where(np.isnan(own[:, :1]), values, own)
        state = pd.DataFrame(values, columns=columns)
        hazard = state[hazards].to_numpy()
        total, talked = hazard.sum(axis=1), hazard @ helped
        # effect_contact is 1 less the response times what talking helps against: here the response, reason by reason.
        response = (1 - state["effect_contact"].to_numpy()) * total / np.where(talked > 0, talked, np.inf)
        response = np.where(state["contacted"] == 1, 0.0, response)
        after = hazard * (1 - response[:, None] * helped)
        for code in COUNTERED:
            after[:, CODES.index(code)] *= np.where(named == code, state[f"effect_{code}"], 1.0)
        without, acted = without + total, acted + after.sum(axis=1)
    decided = (pd.to_datetime(states[0]["decided"]) < pd.Timestamp(day)).to_numpy(bool)
    missing = states[0]["hazard_unexplained"].isna().to_numpy()
    return np.where(decided | missing, 0.0, np.exp(-acted) - np.exp(-without))


@dataclass(frozen=True)
class Summary:
    """By policy and market, money a cut-off: `values` (policies x markets, columns actions, hours, cost, kept, expected);
    `net` by policy, (1 + resamples,), the point first; and its mean by market."""

    values: pd.DataFrame
    net: Mapping[str, FloatArray]
    by_market: pd.DataFrame
    candidates: float
    capacity: float


def summarise(found: pd.DataFrame, resamples: int, seed: int = 7) -> Summary:
    """Means over cut-offs and markets, with resamples of the markets and of the accounts of each, the same for all."""
    found = found.assign(net=found["kept"] - found["cost"])
    seeds = sorted(found["seed"].unique())
    columns = ["actions", "hours", "cost", "kept", "expected", "net"]
    cutoffs = found.groupby("seed")["as_of"].nunique()
    by_market = found[found["policy"] != ""].groupby(["policy", "seed"])[columns].sum()
    by_market = by_market.reindex(
        pd.MultiIndex.from_product([POLICIES, seeds], names=["policy", "seed"]), fill_value=0.0
    )
    by_market = by_market.div(cutoffs, level="seed", axis=0)
    drawn: dict[str, list[FloatArray]] = {policy: [] for policy in POLICIES}
    for market in seeds:
        own = found[found["seed"] == market]
        table = own.pivot_table(index="account_id", columns="policy", values="net", aggfunc="sum", fill_value=0.0)
        table = table.reindex(columns=list(POLICIES), fill_value=0.0) / cutoffs[market]
        times = np.concatenate(list(multiplicities(len(table), resamples, seed + market)))
        for policy in POLICIES:
            drawn[policy].append(times @ table[policy].to_numpy())
    which = np.random.default_rng(seed).integers(0, len(seeds), (resamples, len(seeds)))
    net = {}
    for policy, of_markets in drawn.items():
        stacked = np.stack(of_markets)
        again = stacked[which.T, np.arange(1, resamples + 1)[None, :]].mean(axis=0)
        net[policy] = np.concatenate([[stacked[:, 0].mean()], again])
    everyone = found[found["policy"] == ""].groupby(["seed", "as_of"])
    capacity = float(everyone["capacity"].first().mean())
    return Summary(
        by_market.groupby("policy").mean(),
        net,
        by_market["net"].unstack("seed"),
        float(everyone.size().mean()),
        capacity,
    )


def table(found: Summary, seeds: Sequence[int]) -> str:
    """The table as Markdown, with a sentence before it."""

    def spread(values: FloatArray) -> str:
        low, high = np.quantile(values[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return f"{values[0]:,.0f} ({low:,.0f} to {high:,.0f})"

    lines = [
        f"`python -m benchmarks.worklist`: {len(seeds)} markets of {ACCOUNTS:,} accounts, seeds "
        f"{', '.join(map(str, seeds))}, {TESTS} cut-offs each; {found.candidates:,.0f} active accounts and "
        f"{found.capacity:,.0f} hours a cut-off. Money a cut-off, {LEVEL:.0%} intervals by {RESAMPLES:,} resamples of the "
        "markets and of the accounts of each.",
        "",
        "| whom to act on | actions | hours | kept | cost | net profit | worklist less this | in markets |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for policy, name in POLICIES.items():
        values = found.values.loc[policy]
        less, ahead = "", ""
        if policy != OURS:
            less = spread(found.net[OURS] - found.net[policy])
            ahead = f"{(found.by_market.loc[OURS] > found.by_market.loc[policy]).sum()} of {len(seeds)}"
        lines.append(
            f"| {name} | {values['actions']:,.0f} | {values['hours']:,.0f} | {values['kept']:,.0f} | {values['cost']:,.0f} "
            f"| {spread(found.net[policy])} | {less} | {ahead} |"
        )
    expected = found.values["expected"]
    lines += [
        "",
        f"The worklist expected {expected[OURS]:,.0f}; by the risk of silence it expected {expected['silence']:,.0f}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worklist", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, action="append", help="markets to measure; all six write the page")
    parser.add_argument("--hours-share", type=float, help="in place of worklist.hours_share; writes no page")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    seeds, params = given.seed or SEEDS, load(ROOT, "simulated")
    if given.hours_share is not None:  # those without a manager get as much less
        less = given.hours_share / params.worklist.hours_share
        short = {"hours_share": given.hours_share, "unassigned_hours": less * params.worklist.unassigned_hours}
        params = params.model_copy(update={"worklist": changed(params.worklist, short)})
    tasks = (delayed(measure)(seed, ACCOUNTS, PERIODS, params) for seed in seeds)
    done = Parallel(n_jobs=given.jobs, return_as="generator")(tasks)
    found = pd.concat(list(tqdm(done, total=len(seeds), desc="markets", disable=None)), ignore_index=True)
    text = table(summarise(found, RESAMPLES), seeds)
    print(text)
    if not given.seed and given.hours_share is None:
        write_text(placed(PAGE.read_text(encoding="utf-8"), text), PAGE)


def placed(page: str, text: str) -> str:
    """The page with the text between its marks."""
    before, _, rest = page.partition("<!-- measured -->\n")
    _, _, after = rest.partition("<!-- end -->")
    return f"{before}<!-- measured -->\n{text}\n<!-- end -->{after}"


if __name__ == "__main__":
    main()
