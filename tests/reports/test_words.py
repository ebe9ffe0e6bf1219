"""Numbers as a reader writes them."""

from __future__ import annotations

import pytest

from reports.words import count, money, number, percent


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money(1_234_567.4, "EUR"), "1,234,567 EUR"),
        (money(0.2, "EUR"), "under 1 EUR"),
        (money(-0.0), "0"),
        (money(-1234.6, "EUR"), "\N{MINUS SIGN}1,235 EUR"),
        (money(-0.2), "0"),
        (money(float("nan"), "EUR"), "–"),
        (money(None), "–"),
        (percent(0.123), "12 %"),
        (percent(0.0346), "3.5 %"),
        (percent(0.09996), "10 %"),
        (percent(0.0004), "under 0.1 %"),
        (percent(0.9988), "over 99 %"),
        (percent(0.0), "0 %"),
        (percent(1.0), "100 %"),
        (percent(float("nan")), "–"),
        (count(1234.0), "1,234"),
        (count(3.26), "3.3"),
        (number(-0.00001, 3, sign=True), "0.000"),
        (number(0.02, 3, sign=True), "+0.020"),
        (number(-0.02, 3), "\N{MINUS SIGN}0.020"),
        (number(None, 3), "–"),
    ],
)
def test_numbers_as_a_reader_writes_them(shown, expected):
    assert shown == expected
