"""The benchmark of the worklist: the true effect of an action by hand, who is in charge, and the table."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from benchmarks.worklist import OURS, PAGE, POLICIES, kept_chance, managers_at, placed, summarise, table
from market.hazards import COUNTERED, HELPED
from market.simulate import simulate
from models.shares import UNEXPLAINED

DAY = date(2022, 6, 1)


def month(period, account="A1", **given):
    row = {f"hazard_{code}": 0.0 for code in HELPED} | {f"effect_{code}": 0.5 for code in COUNTERED}
    row |= {"account_id": account, "period": pd.Timestamp(period), "contacted": False, "effect_contact": 1.0}
    return row | {"decided": pd.NaT} | given


def kept(rows, named="product"):
    return kept_chance(pd.DataFrame(rows), pd.Series(["A1"]), DAY, np.array([named], dtype=object))[0]


MONTHS = ("2022-06-01", "2022-07-01", "2022-08-01")


def test_a_countermeasure_takes_off_its_own_reason_over_the_three_months():
    rows = [month(day, hazard_product=0.1, hazard_competitor=0.05) for day in MONTHS]
    assert kept(rows) == pytest.approx(np.exp(-0.3) - np.exp(-0.45))
    assert kept(rows, "broken_promises") == 0.0  # a reason that is not at work
    assert kept(rows, UNEXPLAINED) == 0.0  # and no response to a contact


def test_a_contact_helps_each_reason_by_its_own_part_and_only_who_had_none():
    """Half of what talking helps against: .6 x .1 of neglected details gone by half, so a factor .7 on the sum."""
    rows = [month(day, hazard_neglected_details=0.1, effect_contact=0.7) for day in MONTHS]
    assert kept(rows, UNEXPLAINED) == pytest.approx(np.exp(-0.21) - np.exp(-0.3))
    assert kept(rows, "neglected_details") == pytest.approx(np.exp(-0.105) - np.exp(-0.3))
    had = [row | {"contacted": True} for row in rows]
    assert kept(had, UNEXPLAINED) == 0.0
    assert kept(had, "neglected_details") == pytest.approx(np.exp(-0.15) - np.exp(-0.3))


def test_who_has_decided_before_is_not_kept_and_a_month_that_is_missing_is_like_the_one_before():
    rows = [month(day, hazard_product=0.1) for day in MONTHS]
    assert kept(rows[:1]) == pytest.approx(kept(rows)) == pytest.approx(np.exp(-0.15) - np.exp(-0.3))
    assert kept([row | {"decided": pd.Timestamp("2022-05-01")} for row in rows]) == 0.0
    assert kept([row | {"decided": pd.Timestamp("2022-06-01")} for row in rows]) > 0  # decides within the month
    assert kept([month("2022-05-01", hazard_product=0.1)]) == 0.0  # gone by then


def test_the_response_told_reason_by_reason_is_the_one_that_was_drawn():
    truth = simulate(200, 24, 101, date(2021, 1, 1))["truth"]
    rows = truth[(truth["period"] == pd.Timestamp(DAY)) & ~truth["contacted"].astype(bool) & truth["decided"].isna()]
    chance = kept_chance(truth, rows["account_id"], DAY, np.full(len(rows), UNEXPLAINED, dtype=object), months=1)
    total = rows[[f"hazard_{code}" for code in HELPED]].sum(axis=1).to_numpy()
    expected = np.exp(-total * rows["effect_contact"].to_numpy()) - np.exp(-total)
    assert chance == pytest.approx(expected, abs=1e-6)
    assert chance.max() > 0.001


def test_in_charge_is_who_was_known_to_be_on_the_day_whatever_happens_later():
    spells = pd.DataFrame(
        {
            "account_id": ["A1", "A1", "A2", "A3", "A4"],
            "manager_id": ["M1", "M2", "M1", "M3", "M1"],
            "started_on": pd.to_datetime(["2021-01-01", "2022-03-01", "2021-01-01", "2022-06-01", "2021-01-01"]),
            "ended_on": pd.to_datetime(["2022-03-01", None, "2022-05-31", None, "2022-06-01"]),
        }
    )
    found = managers_at(spells, DAY)
    assert found.to_dict() == {"A1": "M2", "A4": "M1"}  # A4's end is not known before the day itself
    later = spells.copy()
    later.loc[later["started_on"] >= pd.Timestamp(DAY), "manager_id"] = "M9"
    later.loc[later["ended_on"] >= pd.Timestamp(DAY), "ended_on"] = pd.NaT
    assert_series_equal(managers_at(later, DAY), found)


def frame(seed, gain):
    rows = [
        {"policy": "", "account_id": f"A{n}", "actions": 0, "hours": 0.0, "cost": 0.0, "kept": 0.0} for n in range(4)
    ]
    for policy in POLICIES:
        rows.append({"policy": policy, "account_id": "A1", "actions": 1, "hours": 2.0, "cost": 5.0, "kept": 10.0})
    rows.append({"policy": OURS, "account_id": "A2", "actions": 1, "hours": 2.0, "cost": 5.0, "kept": 5.0 + gain})
    return pd.DataFrame(rows).assign(expected=1.0, as_of=DAY, capacity=9.0, seed=seed)


def test_the_table_has_means_and_paired_intervals_and_equal_accounts_cancel():
    found = summarise(pd.concat([frame(1, 3.0), frame(2, 5.0)], ignore_index=True), 200)
    assert found.net[OURS][0] == pytest.approx(5.0 + 4.0)
    assert found.net["risk"][0] == pytest.approx(5.0)
    assert (found.net["risk"] == found.net["value"]).all()  # the same accounts under the same resamples
    assert (found.net[OURS] - found.net["risk"] >= -1e-9).all()
    assert found.values.loc[OURS, ["actions", "hours", "cost"]].tolist() == [2.0, 4.0, 10.0]
    assert (found.candidates, found.capacity) == (4.0, 9.0)
    text = table(found, [1, 2])
    assert "| worklist | 2 | 4 | 19 | 10 | 9 (" in text
    assert "2 of 2 |" in text


def test_the_text_is_placed_between_the_marks_of_the_page():
    assert (
        placed("a\n<!-- measured -->\nold\n<!-- end -->\nb\n", "new") == "a\n<!-- measured -->\nnew\n<!-- end -->\nb\n"
    )
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- measured -->\n") == page.count("<!-- end -->") == 1
