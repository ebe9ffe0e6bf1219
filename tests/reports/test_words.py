"""Numbers, days and units as readers of each language write them."""

from __future__ import annotations

from datetime import date

import pytest

from reports.language import speaking
from reports.words import (
    clauses,
    count,
    day,
    duration,
    exact_percent,
    listed,
    money,
    month,
    number,
    percent,
    points,
    quantity,
    significant,
    span,
)

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money(1_234_567.4, "EUR"), f"EUR{SPACE}1,234,567"),
        (money(1_234_567.4, "crates"), "1,234,567 crates"),
        (money(0.2, "crates"), "under 1 crates"),
        (money(-0.0), "0"),
        (money(-1234.6), "\N{MINUS SIGN}1,235"),
        (money(-1234.6, "EUR"), f"\N{MINUS SIGN}EUR{SPACE}1,235"),
        (money(-0.2), "0"),
        (money(float("nan"), "EUR"), "–"),
        (money(None), "–"),
        (percent(0.123), "12%"),
        (percent(0.0346), "3.5%"),
        (percent(0.09996), "10%"),
        (percent(0.0004), "under 0.1%"),
        (percent(0.9988), "over 99%"),
        (percent(0.0), "0%"),
        (percent(1.0), "100%"),
        (percent(float("nan")), "–"),
        (exact_percent(0.996, 1), "99.6%"),
        (points(-0.034, 1, sign=True), "\N{MINUS SIGN}3.4"),
        (count(1234.0), "1,234"),
        (count(3.26), "3.3"),
        (count(-1234.0), "\N{MINUS SIGN}1,234"),
        (number(-0.00001, 3, sign=True), "0.000"),
        (number(0.02, 3, sign=True), "+0.020"),
        (number(-0.02, 3), "\N{MINUS SIGN}0.020"),
        (number(None, 3), "–"),
        (day(date(2024, 5, 9)), "9 May 2024"),
        (month(date(2024, 5, 9)), "May 2024"),
        (quantity(1, "days"), "1 day"),
        (quantity(2.5, "hours"), "2.5 hours"),
        (quantity(-3, "days"), "\N{MINUS SIGN}3 days"),
        (duration("3 months"), "3 months"),
        (duration("1 day"), "1 day"),
        (significant(2.345, 2), "2.3"),
        (significant(1.0, 2), "1"),
        (significant(0.0, 2), "0"),
        (significant(-0.0123, 2), "\N{MINUS SIGN}0.012"),
        (significant(1234.0, 2), "1,200"),
        (span("1%", "2%"), "1% to 2%"),
        (listed(["a {x}", "b", "c"]), "a {x}, b, c"),
        (listed([]), ""),
        (clauses(["a, b", "c"]), "a, b; c"),
    ],
)
def test_numbers_as_a_reader_writes_them(shown, expected):
    assert shown == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("ro", [f"1.234.567{SPACE}RON", f"3,5{SPACE}%", "9 mai 2024", "mai 2024", "47 de zile", "+1.234,5"]),
        ("zh_Hans", [f"RON{SPACE}1,234,567", "3.5%", "2024年5月9日", "2024年5月", "47天", "+1,234.5"]),
        ("zh_Hant", [f"RON{SPACE}1,234,567", "3.5%", "2024年5月9日", "2024年5月", "47 天", "+1,234.5"]),
    ],
)
def test_numbers_days_and_units_are_of_the_language(language, expected):
    with speaking(language):
        shown = [
            money(1_234_567, "RON"),
            percent(0.035),
            day(date(2024, 5, 9)),
            month(date(2024, 5, 9)),
            quantity(47, "days"),
            number(1234.5, 1, sign=True),
        ]
        assert duration("3 months") == quantity(3, "months") != "3 months"
    assert shown == expected
