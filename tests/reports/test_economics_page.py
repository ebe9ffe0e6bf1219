"""The page of economics: each claim beside what was measured, in its unit, or why it cannot be seen."""

from __future__ import annotations

import pytest
from decisions import claim
from readers import Reader, says_nothing_empty, table
from sites import decided, links_of, page

from models.claims import CANNOT, CLAIMS
from reports import economics

OWN = {"value": 0.226, "low": 0.194, "high": 0.26, "n": 1611}


def measured(site, **values: object) -> str:
    record = claim("Said.", OWN, "", "{value} ({low} to {high}) of {n}, {documented}, {years} years.") | values
    (row,) = economics.context(decided(site, economics=[record]), links_of(site))["economics"]
    return row["measured"]


@pytest.mark.parametrize(
    ("unit", "own", "documented", "told"),
    [
        ("share", (0.226, 0.194, 0.26), 0.4, "22.6% (19.4% to 26.0%) of 1,611, 40.0%"),
        ("points", (6.84, -1.25, 12.0), 75.0, "+6.8 (−1.2 to +12.0) of 1,611, +75.0"),
        ("months", (14.2, 9.96, 18.0), 12.0, "14.2 (10.0 to 18.0) of 1,611, 12.0"),
        ("times", (3.04, 2.5, 1234.5), 10.0, "3.0 (2.5 to 1,234.5) of 1,611, 10.0"),
    ],
)
def test_a_figure_stands_in_the_unit_of_its_claim_with_its_interval(site, unit, own, documented, told):
    own = {**dict(zip(("value", "low", "high"), own, strict=True)), "n": 1611}
    given = measured(site, unit=unit, own=own, documented={"low": None, "high": documented}, years=5)
    assert given == f"{told}, 5 years."


@pytest.mark.parametrize("unit", ["share", "points", "months", "times"])
def test_what_is_not_known_of_an_interval_is_a_dash(site, unit):
    own = {"value": 1.0, "low": None, "high": None, "n": 30}
    told = measured(site, unit=unit, own=own, documented={"low": None, "high": None})
    assert "(– to –) of 30, –," in told


def test_a_claim_stands_with_its_documents_and_either_a_measure_or_why_there_is_none(site):
    blind = claim("First.", None, "It cannot be seen on this data: nothing says so.") | {"documents": ["001", "004"]}
    seen = claim("Second.", OWN, "", "Here {value}.")
    given = decided(site, economics=[blind, seen])
    assert economics.context(given, links_of(given))["economics"] == [
        {
            **{"claim": "First.", "documents": "001, 004", "measured": None},
            **{"why_not": "It cannot be seen on this data: nothing says so."},
        },
        {"claim": "Second.", "documents": "004", "measured": "Here 22.6%.", "why_not": ""},
    ]
    html = page(given, "economics.html")
    shown = [[cell.text for cell in row] for row in table(html, "Table of claims")[1:]]
    assert shown == [
        ["First.", "001, 004", "It cannot be seen on this data: nothing says so."],
        ["Second.", "004", "Here 22.6%."],
    ]


@pytest.mark.parametrize("each", [each for each in CLAIMS if each.measured], ids=lambda each: each.code)
def test_the_words_of_every_claim_take_what_is_given_to_them(site, each):
    record = {
        **claim(each.text, OWN, "", each.measured),
        **{"unit": each.unit, "documented": {"low": each.low, "high": each.high}, "years": 5},
    }
    given = decided(site, economics=[record])
    html = page(given, "economics.html")
    says_nothing_empty(html)
    assert each.text in Reader(html).text
    assert economics._figure(OWN["value"], each.unit) in measured(site, unit=each.unit, measured=each.measured)


def test_every_reason_not_to_see_a_claim_is_said_as_it_is(site):
    records = [claim("Said.", None, cannot) for cannot in CANNOT.values()]
    found = economics.context(decided(site, economics=records), links_of(site))["economics"]
    assert [row["why_not"] for row in found] == list(CANNOT.values())
    assert all(row["measured"] is None for row in found)
