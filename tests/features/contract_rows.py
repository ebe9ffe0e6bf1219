"""Rows of contract tables as a source would give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

EARLIEST, LATEST = date(1990, 1, 1), date(2024, 3, 15)


def rows_like(base: Mapping[str, str | None], *changes: Mapping[str, str | None]) -> str:
    """SQL of rows like `base`, each with its changes; a column changed to None is left out of every row."""
    selects = []
    for change in changes or ({},):
        row = {name: value for name, value in {**base, **change}.items() if value is not None}
        selects.append("SELECT " + ", ".join(f'{value} AS "{name}"' for name, value in row.items()))
    return f"({' UNION ALL BY NAME '.join(selects)})"
