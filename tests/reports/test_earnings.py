"""What is told of money: verdicts, figures with their intervals, and where nothing was found."""

from __future__ import annotations

import pytest

from models.campaign import Economics
from reports.earnings import amount, assumptions, past, verdict

ECONOMICS = Economics(0.25, None, 0.05, 0.0, 0.0, 0.4, 10.0)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1.0, 3.0, "better"), (-3.0, -1.0, "worse"), (-1.0, 1.0, "open"), (0.0, 1.0, "open"), (None, None, "open")],
)
def test_where_an_interval_lies_is_the_verdict(low, high, expected):
    assert verdict({"value": 0.5, "low": low, "high": high}) == expected


def test_an_amount_has_its_interval_where_there_is_one():
    assert amount({"value": 1234.5, "low": -10.0, "high": 2000.0}, "EUR") == {
        "value": "EUR\N{NO-BREAK SPACE}1,234",
        "interval": "\N{MINUS SIGN}EUR\N{NO-BREAK SPACE}10 to EUR\N{NO-BREAK SPACE}2,000",
    }
    assert amount({"value": None, "low": None, "high": None}, "EUR") == {"value": "–", "interval": None}


def test_where_nobody_was_active_nothing_is_told():
    assert past({}, "EUR") is None


def test_each_assumption_has_its_figure_and_what_it_rests_on():
    told = {name: (value, basis) for name, value, basis in assumptions(ECONOMICS, {"contact_cost": 141.5}, "USD")}
    assert told["Cost of a contact"][0] == "USD\N{NO-BREAK SPACE}142"
    assert "5% of new contacts order (004)" in told["Cost of a contact"][1]
    assert told["How sure that chance is"][0] == "as if seen on 10 accounts"
    assert all(basis.endswith(".") for _, basis in told.values())
