"""The chart of what an account bought: a bar a period, none where nothing was bought, below zero where it came back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest
from sites import decided

from features.periods import Duration
from reports import history

MONTH = Duration(1, "month")


def bars(found) -> list[dict[str, float]]:
    svg = ElementTree.fromstring(found["plot"])
    return [
        {name: float(bar.get(name)) for name in ("x", "y", "width", "height")} | {"fill": bar.get("fill")}
        for bar in svg.iter("rect")
    ]


def bought(**amounts: float) -> list[dict[str, float]]:
    return [{"periods_ago": int(ago[1:]), "amount": amount, "order_days": 2} for ago, amount in amounts.items()]


def test_a_period_without_a_row_had_no_purchase_and_no_bar(site):
    given = decided(site, history_periods=4)
    found = history.of(bought(p1=50.0, p3=100.0), given, MONTH)
    assert [(row["day"], row["amount"], row["order_days"]) for row in found["rows"]] == [
        ("September 2024", 0.0, 0),
        ("October 2024", 100.0, 2),
        ("November 2024", 0.0, 0),
        ("December 2024", 50.0, 2),
    ]
    second, last = bars(found)
    assert second["height"] == pytest.approx(2 * last["height"], abs=0.1)
    assert second["x"] < last["x"]
    assert second["y"] + second["height"] == pytest.approx(last["y"] + last["height"], abs=0.1)


def test_more_returned_than_bought_hangs_below_the_line_in_another_colour(site):
    found = history.of(bought(p1=-30.0, p2=60.0), decided(site, history_periods=2), MONTH)
    up, down = bars(found)
    assert up["y"] + up["height"] == pytest.approx(down["y"], abs=0.1)
    assert up["fill"] != down["fill"]


def test_periods_that_begin_within_a_month_are_told_by_their_day(site):
    given = replace(decided(site, history_periods=1), as_of=date(2025, 1, 15))
    assert history.of(bought(p1=1.0), given, MONTH)["rows"][0]["day"] == "15 December 2024"
    assert history.of(bought(p1=1.0), given, Duration(30, "day"))["rows"][0]["day"] == "16 December 2024"


def test_who_bought_nothing_has_no_chart(site):
    assert history.of([], site, MONTH) is None


def test_the_chart_is_spoken_too_and_names_no_empty_period(site):
    found = history.of(bought(p1=50.0), decided(site, history_periods=3), MONTH)
    svg = ElementTree.fromstring(found["plot"])
    assert svg.get("role") == "img"
    assert [part.text for part in svg][:2] == ["Purchases by period", "December 2024: EUR\N{NO-BREAK SPACE}50"]
