"""What contacting would have earned: worked numbers, a plain loop beside every ranking, and what must always hold."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.errors import ContractError
from models.campaign import RANKINGS, Economics, measure, plan, values_of
from models.profit import Terms, contact_profit, expected_maximum_profit

ECONOMICS = Economics(
    margin=0.25,
    contact_cost=None,
    contact_share=0.05,
    incentive=2.0,
    incentive_share=0.05,
    kept=0.4,
    kept_accounts=10.0,
)
MODELS = ["risk", "recency"]


def predictions_of(accounts: int = 120, cutoffs: int = 2, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = accounts * cutoffs
    risk = rng.beta(1, 3, n).round(2)
    return pd.DataFrame(
        {
            "account_id": np.tile([f"A{i:03d}" for i in range(accounts)], cutoffs),
            "as_of": np.repeat([date(2024, month, 1) for month in range(1, cutoffs + 1)], accounts),
            "label": (rng.random(n) < risk).astype(float),
            "lapsed": rng.random(n) < 0.1,
            "value": rng.gamma(0.7, 1000.0, n).round(-2),
            "risk": risk,
            "recency": np.clip(risk + rng.normal(0, 0.3, n), 0, 1).round(1),
        }
    )


@pytest.fixture(scope="module")
def found():
    return measure(predictions_of(), MODELS, ECONOMICS, 60, 0.9, 7)


def test_what_a_year_earns_and_what_a_contact_costs():
    """A quarter of the purchases; a contact costs a twentieth of the mean of that."""
    value = ECONOMICS.value([4000.0, 0.0, -500.0])
    assert value.tolist() == [1000.0, 0.0, 0.0]
    terms = ECONOMICS.terms(value)
    assert terms == Terms(pytest.approx(1000 / 3 / 20), 2.0, 0.05, 4.0, 6.0)
    assert terms.chance == pytest.approx(0.4)
    assert replace(ECONOMICS, contact_cost=30.0).terms(value).contact == 30.0
    assert ECONOMICS.terms([]).contact == 0.0


def by_hand(rows: pd.DataFrame, keys: list[str]) -> dict[str, float]:
    """One cut-off: contact down the ranking, and keep what was best by what was expected."""
    value = 0.25 * rows["value"]
    terms = ECONOMICS.terms(value)
    rows = rows.assign(
        hoped=contact_profit(rows["risk"], value, terms), happened=contact_profit(rows["label"], value, terms)
    )
    best = {"contacts": 0, "promised": 0.0, "profit": 0.0}
    hindsight = hoped = happened = 0.0
    contacts = 0
    for key in sorted(set(map(tuple, rows[keys].to_numpy().tolist())), reverse=True):
        equals = rows[(rows[keys].to_numpy() == key).all(axis=1)]
        contacts, hoped, happened = (
            contacts + len(equals),
            hoped + equals["hoped"].sum(),
            happened + equals["happened"].sum(),
        )
        hindsight = max(hindsight, happened)
        if hoped > best["promised"]:
            best = {"contacts": contacts, "promised": hoped, "profit": happened}
    return {**best, "hindsight": hindsight}


@pytest.mark.parametrize(("name", "keys"), [("risk", ["risk", "value"]), ("value", ["value", "risk"])])
def test_a_ranking_earned_what_a_plain_loop_adds_up(found, name, keys):
    active = predictions_of().query("not lapsed")
    each = [by_hand(rows, keys) for _, rows in active.groupby("as_of")]
    for part in ("contacts", "promised", "profit", "hindsight"):
        assert found["rankings"][name][part]["value"] == pytest.approx(np.mean([cell[part] for cell in each])), part


def test_by_expected_profit_everyone_is_contacted_who_is_expected_to_pay(found):
    active = predictions_of().query("not lapsed")
    contacts, promised, profit = [], [], []
    for _, rows in active.groupby("as_of"):
        value = 0.25 * rows["value"]
        terms = ECONOMICS.terms(value)
        hoped = contact_profit(rows["risk"], value, terms)
        contacts.append((hoped > 0).sum())
        promised.append(hoped[hoped > 0].sum())
        profit.append(contact_profit(rows["label"], value, terms)[hoped > 0].sum())
    cells = found["rankings"]["contact_profit"]
    assert cells["contacts"]["value"] == np.mean(contacts)
    assert cells["promised"]["value"] == pytest.approx(np.mean(promised))
    assert cells["profit"]["value"] == pytest.approx(np.mean(profit))


def test_no_ranking_is_expected_to_earn_more_than_that_by_expected_profit(found):
    best = found["rankings"]["contact_profit"]["promised"]["value"]
    assert all(found["rankings"][name]["promised"]["value"] <= best + 1e-9 for name in RANKINGS)


def test_knowing_who_will_be_lost_is_never_beaten(found):
    best = found["perfect"]["value"]
    for name in RANKINGS:
        assert found["rankings"][name]["profit"]["value"] <= found["rankings"][name]["hindsight"]["value"] <= best
        assert max(found["curve"][name]) <= best


def test_the_curve_goes_from_nobody_to_everybody(found):
    active = predictions_of().query("not lapsed")
    everybody = []
    for _, rows in active.groupby("as_of"):
        value = 0.25 * rows["value"]
        everybody.append(contact_profit(rows["label"], value, ECONOMICS.terms(value)).sum())
    for name in RANKINGS:
        assert found["curve"][name][0] == 0.0
        assert found["curve"][name][-1] == pytest.approx(np.mean(everybody))
    assert found["curve"]["share"] == [round(place**2 / 10_000, 6) for place in range(101)]
    assert all(low <= high for low, high in zip(found["curve"]["low"], found["curve"]["high"], strict=True))


def test_emp_is_the_mean_over_cut_offs_of_that_with_the_mean_value(found):
    active = predictions_of().query("not lapsed")
    for model in MODELS:
        each = []
        for _, rows in active.groupby("as_of"):
            value = 0.25 * rows["value"]
            each.append(expected_maximum_profit(rows["label"], rows[model], value.mean(), ECONOMICS.terms(value)))
        assert found["emp"][model]["value"] == pytest.approx(np.mean(each))
    assert found["emp_paired"]["recency"]["value"] == pytest.approx(
        found["emp"]["risk"]["value"] - found["emp"]["recency"]["value"]
    )


def test_every_value_lies_in_its_interval_and_differences_are_those_of_the_values(found):
    for cells in found["rankings"].values():
        for part in ("contacts", "promised", "profit"):
            assert cells[part]["low"] <= cells[part]["value"] <= cells[part]["high"]
    profit = {name: cells["profit"]["value"] for name, cells in found["rankings"].items()}
    for other in ("risk", "value"):
        assert found["paired"][other]["value"] == pytest.approx(profit["contact_profit"] - profit[other])


def test_the_same_seed_gives_the_same_and_json_holds_it(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert measure(predictions_of(), MODELS, ECONOMICS, 60, 0.9, 7) == found
    assert measure(predictions_of(), MODELS, ECONOMICS, 60, 0.9, 8) != found


def test_the_order_of_the_rows_says_nothing_to_the_values(found):
    shuffled = predictions_of().sample(frac=1.0, random_state=2, ignore_index=True)
    again = measure(shuffled, MODELS, ECONOMICS, 20, 0.9, 7)
    assert values_of({"active": again}) == pytest.approx(values_of({"active": found}))
    assert again["curve"]["risk"] == pytest.approx(found["curve"]["risk"])


def test_a_chance_that_is_known_and_many_alike_leave_little_uncertainty():
    sure = replace(ECONOMICS, kept_accounts=1e9)
    wide = measure(predictions_of(), MODELS, ECONOMICS, 60, 0.9, 7)["rankings"]["contact_profit"]["promised"]
    narrow = measure(predictions_of(), MODELS, sure, 60, 0.9, 7)["rankings"]["contact_profit"]["promised"]
    assert narrow["value"] == wide["value"]
    assert narrow["high"] - narrow["low"] < 0.6 * (wide["high"] - wide["low"])


def test_all_money_is_in_the_unit_of_the_purchases(found):
    tenfold = predictions_of().assign(value=lambda frame: frame["value"] * 10)
    again = measure(tenfold, MODELS, replace(ECONOMICS, incentive=20.0), 60, 0.9, 7)
    for name in RANKINGS:
        assert again["rankings"][name]["contacts"] == found["rankings"][name]["contacts"]
        assert again["rankings"][name]["profit"]["high"] == pytest.approx(
            10 * found["rankings"][name]["profit"]["high"]
        )


def test_where_nobody_is_active_there_is_nothing_to_tell():
    assert measure(predictions_of().assign(lapsed=True), MODELS, ECONOMICS, 20, 0.9, 7) == {}
    assert values_of({"active": {}}) == {}
    assert plan([], [], ECONOMICS.terms([]), 20, 0.9, 7) == {
        "accounts": 0,
        "contact_cost": 0.0,
        "contacts": {"value": 0.0, "low": 0.0, "high": 0.0},
        "profit": {"value": 0.0, "low": 0.0, "high": 0.0},
    }


def test_purchases_of_nothing_at_all_are_not_worth_a_contact():
    found = measure(predictions_of().assign(value=0.0), MODELS, ECONOMICS, 20, 0.9, 7)
    assert all(cells["contacts"]["value"] == 0 for cells in found["rankings"].values())
    assert found["perfect"]["value"] == 0


def test_a_missing_value_is_refused():
    frame = predictions_of()
    with pytest.raises(ContractError, match=r"Missing columns: value\."):
        measure(frame.drop(columns="value"), MODELS, ECONOMICS, 20, 0.9, 7)
    frame.loc[3, "value"] = np.nan
    with pytest.raises(ContractError, match=r"Of 240 rows these hold no finite number: value in 1\."):
        measure(frame, MODELS, ECONOMICS, 20, 0.9, 7)


def test_tracked_values_have_plain_names(found):
    names = values_of({"active": found})
    assert names["active.money.emp.risk"] == found["emp"]["risk"]["value"]
    assert names["active.money.contact_profit.profit"] == found["rankings"]["contact_profit"]["profit"]["value"]
    assert len(names) == len(MODELS) + 4 * len(RANKINGS)


def test_the_plan_counts_whom_it_is_expected_to_pay_to_contact():
    """Values 1000, 1000, 100: risks .5, .05, .5 earn .5 x .4 x 1000 - 50, .05 x .4 x 1000 - 50, .5 x .4 x 100 - 50."""
    terms = Terms(50.0, 0.0, 0.0, 4.0, 6.0)
    found = plan([0.5, 0.05, 0.5], [1000.0, 1000.0, 100.0], terms, 200, 0.9, 7)
    assert (found["accounts"], found["contact_cost"]) == (3, 50.0)
    assert found["contacts"]["value"] == 1
    assert found["profit"]["value"] == pytest.approx(150.0)
    assert 0 <= found["contacts"]["low"] <= 1 <= found["contacts"]["high"] <= 3
    assert found["profit"]["low"] < 150.0 < found["profit"]["high"]
    assert plan([0.5, 0.05, 0.5], [1000.0, 1000.0, 100.0], terms, 200, 0.9, 7) == found
