"""The steps from the money at risk of one scoring to that of the next."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money_change import money_change

THEN, NOW = date(2025, 1, 1), date(2025, 2, 1)


def scoring(day: date, **rows: tuple[float, float, bool]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(name, *row) for name, row in rows.items()], columns=["account_id", "risk", "amount_12", "lapsed"]
    )
    return table.assign(as_of=day)


def explained(**rows: tuple[float, float]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(name, *row) for name, row in rows.items()], columns=["account_id", "change_product", "change_model"]
    )
    return table.assign(since=THEN)


def test_each_step_is_what_its_accounts_did():
    then = scoring(THEN, stays=(0.2, 100.0, False), goes=(0.5, 40.0, False), lapses=(0.4, 10.0, False))
    now = scoring(NOW, stays=(0.3, 120.0, False), comes=(0.1, 50.0, False), lapses=(0.9, 10.0, True))
    found = money_change(then, now, explained(stays=(0.08, 0.02)))
    assert (found.then, found.now) == pytest.approx((44.0, 41.0))
    steps = {step.code: (step.accounts, step.money) for step in found.steps}
    assert steps["gone"] == (2, pytest.approx(-24.0))
    assert steps["new"] == (1, pytest.approx(5.0))
    assert steps["purchases"] == (1, pytest.approx(20 * 0.25))
    assert steps["change_product"] == (1, pytest.approx(0.08 * 110))
    assert steps["change_model"] == (1, pytest.approx(0.02 * 110))
    assert steps["undivided"] == (0, pytest.approx(0.0))


def test_a_change_since_another_day_is_not_taken_for_this_one():
    then, now = scoring(THEN, a=(0.2, 100.0, False)), scoring(NOW, a=(0.3, 100.0, False))
    other = explained(a=(0.1, 0.0)).assign(since=date(2024, 12, 1))
    steps = {step.code: step.money for step in money_change(then, now, other).steps}
    assert steps["risk"] == pytest.approx(10.0)
    assert "change_product" not in steps


def test_where_nobody_was_active_there_is_nothing_to_compare_with():
    assert money_change(scoring(THEN, a=(0.9, 1.0, True)), scoring(NOW, a=(0.9, 1.0, False)), explained()) is None


account = st.tuples(
    st.floats(0.001, 0.999),
    st.floats(0, 1e6),
    st.booleans(),
    st.floats(0.001, 0.999),
    st.floats(0, 1e6),
    st.booleans(),
)


@given(st.lists(account, min_size=1, max_size=8), st.integers(0, 8), st.floats(-0.5, 0.5))
def test_the_steps_add_up_to_the_difference(accounts, told, part):
    names = [f"a{place}" for place in range(len(accounts))]
    then = scoring(THEN, **{name: row[:3] for name, row in zip(names, accounts, strict=True)})
    now = scoring(NOW, **{name: row[3:] for name, row in zip(names, accounts, strict=True)})
    found = money_change(then, now, explained(**{name: (part, -part / 2) for name in names[:told]}))
    if found is not None:
        difference = sum(step.money for step in found.steps)
        np.testing.assert_allclose(
            difference, found.now - found.then, atol=1e-6 * (1 + abs(found.now) + abs(found.then))
        )
