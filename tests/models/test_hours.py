"""The hours there are: of managers, of regions, and set aside for a class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.hours import Limits, Rules, manager_hours

RULES = Rules(0.25, 120.0, 10.0, {}, {}, None, 0.0, 1000)


def candidates(**columns):
    return pd.DataFrame({"manager_id": None, "region": None, "class": None, **columns})


def test_hours_of_managers_are_a_part_of_their_monthly_ones_where_those_are_known():
    table = pd.DataFrame({"manager_id": ["M1", "M2"], "monthly_hours": [160.0, None]})
    assert manager_hours(table, RULES) == {"M1": 40.0}
    assert manager_hours(table.drop(columns="monthly_hours"), RULES) == {}
    assert manager_hours(None, RULES) == {}


def test_each_manager_has_his_own_and_accounts_without_one_share_those_of_the_region():
    rows = candidates(manager_id=["M1", None, "M1", "M2", None], region=["N", "S", "S", None, None])
    rules = Rules(0.25, 120.0, 10.0, {"N": 5.0, "W": 7.0}, {}, None, 0.0, 1000)
    limits = Limits.of(rows, np.ones(5), np.full(5, 60), rules, {"M1": 40.0})
    assert limits.groups == [("M1", None), ("M2", None), (None, "S"), (None, None)]
    assert limits.group.tolist() == [0, 2, 0, 1, 3]
    assert (limits.limits / 60).tolist() == [40.0, 30.0, 10.0, 10.0, 5.0, 7.0]
    assert limits.draws.toarray()[4:].tolist() == [[1, 0, 0, 0, 0], [0] * 5]
    assert limits.regions == ["N", "S", "W"]
    assert [limits.of_region(name, limits.limits / 60) for name in limits.regions] == [5.0, None, 7.0]


@pytest.mark.parametrize(("accounts", "aside"), [(1, 1.0), (3, 3.0), (9, 5.0)])
def test_hours_are_set_aside_for_a_class_as_far_as_it_has_something_worth_doing(accounts, aside):
    rows = candidates(manager_id=["M1"] * (accounts + 3), **{"class": ["EII"] * accounts + ["EII", "EI", None]})
    profit = np.array([1.0] * accounts + [-1.0, 1.0, 1.0])
    rules = Rules(0.25, 40.0, 10.0, {}, {"EII": 0.5, "EIV": 0.5}, None, 0.0, 1000)
    limits = Limits.of(rows, profit, np.full(len(rows), 60), rules, {})
    assert (limits.limits / 60).tolist() == [10.0, 10.0 - aside]
    assert limits.draws.toarray()[1].tolist() == [0] * (accounts + 1) + [1, 1]  # it is others that are bounded
    assert limits.split == 1
    assert limits.without_split()[1].tolist() == [600]
