"""Numbers, days and missing values as a reader writes them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

DASH = "–"
MINUS = "\N{MINUS SIGN}"


def money(value: float | None, currency: str = "") -> str:
    """Whole units with thousands separators: 1,234,567 EUR, −50 EUR; an en dash for what is not known."""
    if value is None or not math.isfinite(value):
        return DASH
    amount = "under 1" if 0 < value < 0.5 else f"{round(value) + 0:,}".replace("-", MINUS)
    return f"{amount} {currency}".rstrip()


def percent(value: float | None) -> str:
    """12 %, 3.4 % under ten, never rounded to a certainty that is not there; an en dash for what is not known."""
    if value is None or not math.isfinite(value):
        return DASH
    share = value * 100
    if 0 < share < 0.1:
        return "under 0.1 %"
    if 99.5 <= share < 100:
        return "over 99 %"
    return f"{share:.0f} %" if round(share, 1) >= 10 or share == 0 else f"{share:.1f} %"


def count(value: float) -> str:
    """12,345; one digit after the point for a fractional number below ten."""
    return f"{value:,.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A fixed number of digits; an en dash for what is not known."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(value, digits) + 0.0  # no negative zero
    return f"{rounded:{'+' if sign and rounded else ''}.{digits}f}".replace("-", MINUS)


def text(value: Any) -> str | None:
    """None for whatever a table uses for nothing."""
    return None if value is None or pd.isna(value) else str(value)
