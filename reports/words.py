"""Numbers, days and missing values as a reader of the language spoken writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache, reduce
from typing import Any

import pandas as pd
from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from babel.numbers import (
    NumberPattern,
    format_currency,
    format_decimal,
    format_percent,
    get_minus_sign_symbol,
    parse_pattern,
)
from babel.units import format_unit

from features.periods import Duration
from reports.language import locale, say

DASH = "–"
MINUS = "\N{MINUS SIGN}"
UNITS = {"days": "duration-day", "months": "duration-month", "hours": "duration-hour"}


def money(value: float | None, currency: str = "") -> str:
    """Whole units: 1,234,567 EUR, −50 EUR; an en dash for what is not known.

    A currency by its code (EUR) stands where the language puts it; any other word stands behind.
    """
    if value is None or not math.isfinite(value):
        return DASH
    if 0 < value < 0.5:
        return say("under {amount}", amount=money(1.0, currency))
    whole = round(value) + 0
    if currency in get_global("all_currencies"):
        pattern = locale().currency_formats["standard"].pattern
        plain = pattern.split(";")[0].replace(".00", "").replace("¤¤¤", "¤").replace("¤", "¤¤")
        spaced = plain.replace("¤¤#", "¤¤\N{NO-BREAK SPACE}#")
        return _minus(format_currency(whole, currency, spaced, locale=locale(), currency_digits=False), locale())
    return f"{_decimal(whole, 0)} {currency}".rstrip()


def percent(value: float | None) -> str:
    """12%, 3.4% under ten, never rounded to a certainty that is not there; an en dash for what is not known."""
    if value is None or not math.isfinite(value):
        return DASH
    share = value * 100
    if 0 < share < 0.1:
        return say("under {amount}", amount=_percent(0.001, 1))
    if 99.5 <= share < 100:
        return say("over {amount}", amount=_percent(0.99, 0))
    return _percent(value, 0 if round(share, 1) >= 10 or share == 0 else 1)


def points(value: float, digits: int, sign: bool = False) -> str:
    """Hundredths of a probability, with so many digits after the point."""
    return number(value * 100, digits, sign)


def exact_percent(value: float, digits: int) -> str:
    """A share with so many digits after the point, whatever it is."""
    return _percent(value, digits)


def count(value: float) -> str:
    """12,345; one digit after the point for a fractional number below ten."""
    fraction = value < 10 and value != int(value)
    return _decimal(value, 1 if fraction else 0)


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A fixed number of digits; an en dash for what is not known."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(value, digits) + 0.0  # no negative zero
    before = "+" if sign and rounded > 0 else ""
    return f"{before}{_decimal(rounded, digits)}"


def significant(value: float, digits: int) -> str:
    """At most so many digits that count: 0.34 or 2.3."""
    rounded = Decimal(f"{value:.{digits}g}")
    return number(float(rounded), max(0, -int(rounded.as_tuple().exponent)))


def day(value: date) -> str:
    """9 May 2024."""
    return _date(value, "long", locale())


def month(value: date) -> str:
    """May 2024."""
    return _date(value, _month_pattern(), locale())


def quantity(value: float, unit: str) -> str:
    """47 days, 3 months, 2 hours: a number with its unit, a key of UNITS."""
    return _minus(str(format_unit(value, UNITS[unit], format="#,##0.#", locale=locale())), locale())


def duration(value: str) -> str:
    """ "3 months" or "90 days", as `featurize.horizon` is written, in the language spoken."""
    length = Duration.parse(value)
    return quantity(length.count, f"{length.unit}s")


def span(low: str, high: str) -> str:
    """An interval, from two numbers as they are to be written."""
    return say("{low} to {high}", low=low, high=high)


def listed(items: Sequence[str]) -> str:
    """Items beside one another: a, b, c."""
    return reduce(lambda items, more: say("{items}, {more}", items=items, more=more), items) if items else ""


def clauses(items: Sequence[str]) -> str:
    """Items that hold commas themselves: a; b; c."""
    return reduce(lambda items, more: say("{items}; {more}", items=items, more=more), items) if items else ""


def paragraph(sentences: Sequence[str]) -> str:
    """Whole sentences one after another; a script that has no spaces has none between them."""
    return ("" if locale().language == "zh" else " ").join(sentence for sentence in sentences if sentence)


def text(value: Any) -> str | None:
    """None for whatever a table uses for nothing."""
    return None if value is None or pd.isna(value) else str(value)


def _decimal(value: float, digits: int) -> str:
    return _formatted_decimal(value + 0, digits, locale())  # no negative zero


def _percent(value: float, digits: int) -> str:
    return _formatted_percent(value + 0, digits, locale())


# A report of thousands of pages writes the same numbers and days again and again, and Babel parses a pattern each time.
@lru_cache(maxsize=100_000)
def _formatted_decimal(value: float, digits: int, of: Locale) -> str:
    return _minus(format_decimal(value, _pattern("#,##0", digits), locale=of), of)


@lru_cache(maxsize=100_000)
def _formatted_percent(value: float, digits: int, of: Locale) -> str:
    plain = of.percent_formats[None].pattern.split(";")[0]
    return _minus(format_percent(value, _pattern(plain, digits), locale=of, decimal_quantization=True), of)


@lru_cache(maxsize=10_000)
def _date(value: date, pattern: str, of: Locale) -> str:
    return format_date(value, pattern, locale=of)


@cache
def _pattern(whole: str, digits: int) -> NumberPattern:
    return parse_pattern(whole.replace("#,##0", "#,##0" + ("." + "0" * digits if digits else "")))


def _minus(shown: str, of: Locale) -> str:
    return shown.replace(get_minus_sign_symbol(of), MINUS)


def _month_pattern() -> str:
    return "y年M月" if locale().language == "zh" else "LLLL y"
