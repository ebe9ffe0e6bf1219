"""`docs/features.md` and `docs/tables.md`, written from the declarations: `make docs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from features.catalog import FEATURES, THEMES, needs_of
from features.declaration import Feature
from features.tables import TABLES, Column, Table

WRITTEN = "Written by `make docs` from {source}; a test fails when this page is stale."
_PEERS = {
    "tier": "against the median of accounts of its fifth by amount of a year",
    "largest": "against the median of the largest fifth by amount of a year",
    "all": "against the median of all eligible accounts",
}


def row(cells: Iterable[str]) -> str:
    """A row of a Markdown table; what would end a cell is escaped."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def features_page() -> str:
    """The page of features: a table a theme, a row a feature."""
    reasons = Counter(feature.reason for feature in FEATURES)
    evidence = sum(count for reason, count in reasons.items() if reason not in ("symptom", "context"))
    lines = [
        "# Features",
        "",
        WRITTEN.format(source="the declarations in `features/`"),
        "",
        f"{len(FEATURES)} columns: {evidence} of evidence for a documented reason, {reasons['symptom']} symptoms (the loss "
        f"itself under way, never a reason), {reasons['context']} of context. A window of w periods ends at the cut-off and "
        "counts what was known before it. *Days since* run from the day on which something happened, or fell due, to the "
        "cut-off. *Direction* is how the value moves when it harms. *Cured* is what the value would be if the company "
        "removed the cause today, `peers` where it can be brought up to what well-kept peers have; it is empty where no "
        "act of today changes the value.",
        "",
        "| reason | features |",
        "|---|---|",
        *(f"| `{reason}` | {count} |" for reason, count in sorted(reasons.items())),
    ]
    for theme in THEMES:
        lines += [
            "",
            f"## {theme.name}",
            "",
            "| feature | formula | window | unit | reason | direction | cured | empty history | tables |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_feature(feature) for feature in theme.features),
        ]
    return "\n".join(lines) + "\n"


def _feature(feature: Feature) -> str:
    window = "" if feature.window is None else f"{feature.window} period{'' if feature.window == 1 else 's'}"
    formula = feature.doc if not feature.peers else f"{feature.doc.rstrip('.')}; {_PEERS[feature.peers]}."
    tables = ", ".join(f"`{table}`" for table in sorted(needs_of(feature)))
    return row(
        [
            f"`{feature.name}`",
            formula,
            window,
            f"{feature.unit} since" if feature.since else feature.unit,
            f"`{feature.reason}`",
            feature.direction,
            _cured(feature),
            feature.empty,
            tables,
        ]
    )


def _cured(feature: Feature) -> str:
    if feature.cured is None:
        return ""
    return f"`{feature.cured if isinstance(feature.cured, str) else format(feature.cured, 'g')}`"


def tables_page() -> str:
    """The page of contract tables: a table of columns each, and how many features read each."""
    readers = Counter(table for feature in FEATURES for table in needs_of(feature))
    lines = [
        "# Contract tables",
        "",
        WRITTEN.format(source="`features/tables.py`"),
        "",
        "What every source is brought to. Only `orders` must be there, as CSV or Parquet; a table or an optional column that "
        "is missing takes its features with it, and the report says which reasons cannot be seen then.",
        "",
        "*must*: the column must be there. *empty*: whether a value may be missing; a row is *set aside* without it. *known "
        "on*: the date from which the value counts, where that is not the row's own (`docs/time.md`); a *snapshot* is today's "
        "value, overwritten by the source, and never a feature by itself.",
        "",
        "| table | a row is | key | known at | features |",
        "|---|---|---|---|---|",
        *(_table(table, readers[name]) for name, table in TABLES.items()),
    ]
    for name, table in TABLES.items():
        lines += [
            "",
            f"## {name}",
            "",
            "| column | what | kind | unit | must | empty | known on | values |",
            "|---|---|---|---|---|---|---|---|",
            *(_column(column) for column in table.columns),
        ]
    return "\n".join(lines) + "\n"


def _table(table: Table, readers: int) -> str:
    key = ", ".join(f"`{column}`" for column in table.key)
    return row([f"[`{table.name}`](#{table.name})", table.row, key, f"`{table.event}`", str(readers)])


def _column(column: Column) -> str:
    empty = "set aside" if column.separable else "yes" if column.nullable else "no"
    known = "snapshot" if column.snapshot else f"`{column.known_on}`" if column.known_on else ""
    must = "yes" if column.required else ""
    return row([f"`{column.name}`", column.doc, column.kind, column.unit, must, empty, known, _values(column)])


def _values(column: Column) -> str:
    said = [f"`{value}`" for value in column.allowed]
    if column.least is not None:
        said.append(f"{column.least:g} or more" if column.most is None else f"{column.least:g} to {column.most:g}")
    if column.planned:
        said.append("may lie in the future")
    return ", ".join(said)
