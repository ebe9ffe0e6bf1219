"""The worklist: properties over random companies, worked numbers, and what is told of each account."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from features.errors import ConfigurationError, ContractError
from models import allocation
from models.hours import Rules
from models.playbook import CLASSES, playbook
from models.profit import Terms, contact_profit
from models.worklist import DECISIONS, RESULT, WHY, action_profit, choose, hour_cost, planned

AS_OF = date(2025, 3, 1)
TERMS = Terms(contact=30.0, incentive=5.0, incentive_share=0.02, alpha=4.0, beta=6.0)
RULES = Rules(0.25, 48.0, 6.0, {"N": 15.0}, {"EII": 0.5, "EI": 0.2, "EIII": 0.1}, None, 0.0, 1000)


def accounts(n, **columns):
    given = {
        "account_id": [f"A{place:03d}" for place in range(n)],
        "manager_id": pd.Series(["M1"] * n, dtype="str"),
        "region": pd.Series(["N"] * n, dtype="str"),
        "class": pd.Series([None] * n, dtype="str"),
        "reason": pd.Series([None] * n, dtype="str"),
        "risk": 0.5,
        "value": 1000.0,
    }
    return pd.DataFrame(given | columns)


@st.composite
def companies(draw, most=25):
    n = draw(st.integers(1, most))

    def of(values):
        return pd.Series(draw(st.lists(st.sampled_from(values), min_size=n, max_size=n)), dtype="str")

    return planned(
        accounts(
            n,
            manager_id=of(["M1", "M2", None]),
            region=of(["N", "S", None]),
            reason=of(["product", "natural_end", "competitor", None]),
            risk=draw(st.lists(st.sampled_from([0.02, 0.1, 0.3, 0.8]), min_size=n, max_size=n)),
            value=draw(st.lists(st.sampled_from([0.0, 50.0, 400.0, 2500.0]), min_size=n, max_size=n)),
            **{"class": of([*CLASSES, None])},
        ),
        playbook(),
        AS_OF,
    )


def used_hours(frame, *keys):
    return frame[frame["decision"] == "do"].groupby(list(keys), dropna=False)["hours"].sum()


@given(companies())
@settings(deadline=None, max_examples=50)
def test_nobody_gets_more_hours_than_there_are(company):
    frame = choose(company, TERMS, RULES, {"M2": 7.5}).frame
    by_manager = used_hours(frame, "manager_id")
    assert by_manager.get("M1", 0.0) <= 12.0
    assert by_manager.get("M2", 0.0) <= 7.5
    assert (used_hours(frame[frame["manager_id"].isna()], "region") <= 6.0).all()
    assert used_hours(frame, "region").get("N", 0.0) <= 15.0


@given(companies(most=8))
@settings(deadline=None, max_examples=40)
def test_it_is_the_best_of_all_lists(company):
    rules = replace(RULES, class_share={})
    found = choose(company, TERMS, rules, {"M2": 7.5})
    profit, hours = action_profit(company, TERMS, found.summary["hour_cost"]), company["hours"].to_numpy()
    manager, region = company["manager_id"].fillna("").to_numpy(), company["region"].fillna("").to_numpy()
    best = 0.0
    for choice in product([False, True], repeat=len(company)):
        taken = np.array(choice)
        fits = (
            hours[taken & (manager == "M1")].sum() <= 12
            and hours[taken & (manager == "M2")].sum() <= 7.5
            and all(hours[taken & (manager == "") & (region == name)].sum() <= 6 for name in ("N", "S", ""))
            and hours[taken & (region == "N")].sum() <= 15
        )
        best = max(best, profit[taken].sum()) if fits else best
    assert found.summary["profit"] == pytest.approx(best, abs=1e-6)
    assert found.summary["gap"] == pytest.approx(0.0, abs=1e-6)


@given(companies())
@settings(deadline=None, max_examples=50)
def test_it_is_never_worse_than_the_greedy_list(company):
    found = choose(company, TERMS, replace(RULES, class_share={}, region_hours={}, gap=0.5), {"M2": 7.5})
    rows = company.assign(profit=action_profit(company, TERMS, found.summary["hour_cost"]))
    rows = rows.assign(rate=-rows["profit"] / rows["hours"]).sort_values(["rate", "account_id"])
    left, earned = {"M1": 12.0, "M2": 7.5}, 0.0
    for row in rows.itertuples():
        key = row.manager_id if isinstance(row.manager_id, str) else f"nobody in {row.region}"
        if row.profit > 0 and row.hours <= left.setdefault(key, 6.0):
            left[key] -= row.hours
            earned += row.profit
    assert found.summary["profit"] >= earned - 1e-6


@given(companies(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_the_order_of_the_rows_changes_nothing(company, random):
    order = list(range(len(company)))
    random.shuffle(order)
    before = company.copy(deep=True)
    one, other = choose(company, TERMS, RULES, {}), choose(company.iloc[order], TERMS, RULES, {})
    assert_frame_equal(one.frame, other.frame)
    assert one.summary == other.summary
    assert_frame_equal(company, before)


@given(companies())
@settings(deadline=None, max_examples=50)
def test_every_account_is_decided_on_with_a_reason(company):
    found = choose(company, TERMS, RULES, {})
    frame, summary = found.frame, found.summary
    assert tuple(frame.columns) == RESULT
    assert sorted(frame["account_id"]) == sorted(company["account_id"])
    assert all(row.why in WHY[row.decision] for row in frame.itertuples())
    assert ((frame["profit"] > 0) == (frame["decision"] != "not_worth")).all()
    assert frame["place"].notna().equals(frame["decision"] == "do")
    assert (frame.loc[frame["why"] == "let_go", "class"] == "EIV").all()
    assert (frame.loc[frame["why"] == "objective", "reason"] == "natural_end").all()
    for _, own in frame[frame["decision"] == "do"].groupby(["manager_id", "region"], dropna=False):
        rate = (own["profit"] / own["hours"]).to_numpy()
        assert (np.diff(rate) <= 1e-9).all()
    json.dumps(summary, allow_nan=False)
    assert tuple(summary["decisions"]) == DECISIONS
    assert sum(sum(codes.values()) for codes in summary["decisions"].values()) == len(frame)
    for part in (summary["managers"], [summary]):
        assert sum(row["used"] for row in part) == pytest.approx(used_hours(frame, "decision").sum())
        assert sum(row["profit"] for row in part) == pytest.approx(summary["profit"], abs=1e-6)
        assert sum(sum(row["hours_by_class"].values()) for row in part) == pytest.approx(summary["used"])
    assert summary["profit"] <= summary["bound"] + 1e-9


def test_profit_is_that_of_a_contact_with_the_actions_own_cost():
    company = planned(accounts(3, reason=["product", "broken_promises", "natural_end"]), playbook(), AS_OF)
    assert company["hours"].tolist() == [4.0, 2.0, 1.0]
    cost = hour_cost(company["hours"].to_numpy(), TERMS, None)
    assert cost == pytest.approx(30 / (7 / 3))
    assert (company["hours"] * cost).mean() == pytest.approx(TERMS.contact)  # an average action costs a contact
    assert hour_cost(company["hours"].to_numpy(), TERMS, 9.0) == 9.0
    expected = [contact_profit([0.5], [1000.0], replace(TERMS, contact=hours * cost))[0] for hours in (4.0, 2.0)]
    profit = action_profit(company, TERMS, cost)
    assert profit[:2] == pytest.approx(expected)
    assert profit[2] == pytest.approx(
        -0.5 * 25 - cost
    )  # nothing is hoped for: the incentive of those who stay, the hour


def test_the_step_of_the_playbook_is_written_beside_each_account():
    company = planned(
        accounts(3, reason=["product", None, "product"], **{"class": ["EII", None, None]}), playbook(), AS_OF
    )
    assert company["action"].tolist() == ["product", "visit", "product"]
    assert company["owner"].tolist() == ["product management", "account manager", "product management"]
    assert company["until"].tolist() == [date(2025, 3, 11), date(2025, 3, 15), date(2025, 3, 22)]
    assert company["reason"].isna().tolist() == [False, True, False]


def test_drifting_accounts_get_the_hours_set_aside_for_them_before_better_paid_others():
    """14 hours; EII visits of 5 hours earn less an hour than EI visits of 3, yet 7 hours are kept for them."""
    company = planned(
        accounts(6, value=[900.0, 900.0, 3000.0, 3000.0, 3000.0, 3000.0], **{"class": ["EII"] * 2 + ["EI"] * 4}),
        playbook(),
        AS_OF,
    )
    rules = replace(RULES, region_hours={}, monthly_hours=56.0)
    split, free = choose(company, TERMS, rules, {}), choose(company, TERMS, replace(rules, class_share={}), {})
    assert free.summary["hours_by_class"]["EI"] == 12.0
    assert split.summary["hours_by_class"] == {"EI": 6.0, "EII": 5.0, "EIII": 0.0, "EIV": 0.0, "unknown": 0.0}
    assert split.summary["split_costs"] == pytest.approx(free.summary["profit"] - split.summary["profit"])
    assert split.summary["split_costs"] > 0
    assert set(split.frame["why"]) == {"pays", "manager_full", "reserved"}


def test_why_there_is_no_capacity():
    company = planned(accounts(3, reason="product", region=["N", "N", "S"]), playbook(), AS_OF)

    def why(rules, hours):
        return choose(company, TERMS, rules, {"M1": hours}).frame.set_index("account_id")["why"].to_dict()

    assert why(RULES, 3.0) == dict.fromkeys(["A000", "A001", "A002"], "too_long")
    assert why(RULES, 8.0) == {"A000": "pays", "A001": "pays", "A002": "manager_full"}  # equals: by account
    assert why(replace(RULES, region_hours={"N": 4.0}), 90.0) == {"A000": "pays", "A001": "region_full", "A002": "pays"}


def test_what_an_hour_more_is_worth_and_to_whom():
    company = planned(accounts(4, reason="product", region=["N", "N", "S", "S"]), playbook(), AS_OF)
    summary = choose(company, TERMS, replace(RULES, region_hours={"N": 4.0}), {"M1": 90.0}).summary
    one = choose(company, TERMS, RULES, {"M1": 4.0}).summary["profit"]
    assert [row["shadow_value"] for row in summary["managers"]] == [0.0]
    assert {row["region"]: row["shadow_value"] for row in summary["regions"]} == {
        "N": pytest.approx(one / 4),
        "S": None,
    }
    assert {row["region"]: row["capacity"] for row in summary["regions"]} == {"N": 4.0, "S": None}


def test_without_managers_and_regions_all_share_one_lot_of_hours():
    company = planned(accounts(3, reason="product", manager_id=None, region=None), playbook(), AS_OF)
    found = choose(company, TERMS, RULES, {})
    assert [(row["manager_id"], row["region"], row["capacity"]) for row in found.summary["managers"]] == [
        (None, None, 6.0)
    ]
    assert found.summary["decisions"]["do"]["pays"] == 1
    assert found.summary["regions"][0] == {**found.summary["regions"][0], "region": "N", "accounts": 0, "used": 0}


def test_nobody_to_decide_on_is_an_empty_list():
    found = choose(planned(accounts(0), playbook(), AS_OF), TERMS, RULES, {})
    assert found.frame.empty
    assert tuple(found.frame.columns) == RESULT
    assert (found.summary["profit"], found.summary["gap"], found.summary["hour_cost"]) == (0.0, 0.0, 0.0)


def test_a_list_by_greed_is_told_and_logged(monkeypatch, caplog):
    class Nothing:
        x, status, mip_dual_bound = None, 1, None

    monkeypatch.setattr(allocation, "milp", lambda *given, **options: Nothing())
    with caplog.at_level(logging.WARNING, "holdfast"):
        found = choose(planned(accounts(9), playbook(), AS_OF), TERMS, RULES, {})
    assert found.summary["by_greed"] == 1
    assert "1 of 1 blocks have the greedy list" in caplog.text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.drop(columns="region"), "no column 'region'"),
        (lambda rows: rows.drop(columns="kept"), "no column 'kept'"),
        (lambda rows: pd.concat([rows, rows.head(1)]), "account 'A000' is there twice"),
        (lambda rows: rows.assign(risk=[0.5, 1.5]), r"risk of account 'A001' is 1\.5; it must lie within 0 to 1"),
        (lambda rows: rows.assign(hours=[1.0, 0.0]), r"hours of account 'A001' is 0\.0"),
        (lambda rows: rows.assign(value=[1.0, None]), "value"),
    ],
)
def test_unsound_candidates_are_refused(change, told):
    with pytest.raises(ContractError, match=told):
        choose(change(planned(accounts(2), playbook(), AS_OF)), TERMS, RULES, {})


def test_an_unknown_class_is_refused():
    with pytest.raises(ConfigurationError, match="no step for reason 'unexplained' and class 'EV'"):
        planned(accounts(1, **{"class": ["EV"]}), playbook(), AS_OF)
