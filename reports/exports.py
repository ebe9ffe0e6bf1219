"""The tables of the report as files: Parquet, CSV and workbooks, with the same numbers to the cent.

Text in a CSV that a spreadsheet would take for a formula gets an apostrophe before it; in a workbook it is written as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from models.lineage import with_lineage
from reports.language import message, say

if TYPE_CHECKING:
    from reports.site import Site

KINDS = ("csv", "xlsx", "parquet")
MONEY = {  # rounded to the cent
    *("amount_12", "expected_loss", "contact_profit", "contribution", "value", "profit", "cost", "extra"),
    *("expected_loss_if_left", "amount"),
}
TITLES = {
    "accounts": message("All accounts scored"),
    "worklist": message("Worklist"),
    "managers": message("Managers"),
    "leavers": message("Accounts, if their manager left"),
    "win_back": message("Win-back"),
    "prospects": message("Prospects"),
}
FORMULA = re.compile(r"^[=+\-@\t\r\n]")
MOST_ROWS = 1_048_575  # of a sheet, its head left out


def tables(site: Site) -> dict[str, pd.DataFrame]:
    """The tables by name, money rounded to the cent; those without rows are left out."""
    found = {
        "accounts": site.accounts,
        "worklist": site.worklist,
        "managers": site.managers,
        "leavers": site.leavers,
        "win_back": site.win_back,
        "prospects": site.prospects,
    }
    return {name: rounded(table) for name, table in found.items() if len(table)}


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its money to the cent; no negative zero."""
    money = [name for name in table.columns if name in MONEY]
    return table.assign(**{name: table[name].astype(float).round(2) + 0.0 for name in money})


def listed(site: Site) -> list[dict[str, Any]]:
    """What files there are."""
    return [
        {"name": name, "title": say(TITLES[name]), "rows": len(table), "kinds": KINDS}
        for name, table in tables(site).items()
    ]


def by_list(site: Site) -> dict[tuple[str | None, str | None], str]:
    """For each list of the worklist, by manager_id and region, the name of its files."""
    return {key: f"worklist-{place:04d}" for place, (key, _) in enumerate(_lists(site), start=1)}


def write(site: Site, folder: Path) -> None:
    """Write all tables, and the worklist of each manager or region, into `folder`; `lineage.json` says where they come
    from, where the decisions do."""
    folder.mkdir(parents=True, exist_ok=True)
    lineage = site.decided.get("lineage")
    if lineage is not None:
        (folder / "lineage.json").write_text(json.dumps(lineage, indent=1) + "\n", encoding="utf-8")
    for name, table in tables(site).items():
        pq.write_table(
            with_lineage(pa.Table.from_pandas(table, preserve_index=False), lineage), folder / f"{name}.parquet"
        )
        write_csv(table, folder / f"{name}.csv")
        write_workbook(table, folder / f"{name}.xlsx")
    names = by_list(site)
    for key, table in _lists(site):
        write_csv(rounded(table), folder / f"{names[key]}.csv")
        write_workbook(rounded(table), folder / f"{names[key]}.xlsx")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """UTF-8 with a mark that spreadsheets look for; no cell is a formula."""
    safe = table.copy(deep=False)
    for name in table.columns:
        if _is_text(table[name]):
            safe[name] = table[name].map(_safe, na_action="ignore")
    safe.to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8-sig")


def write_workbook(table: pd.DataFrame, path: Path) -> None:
    """One sheet with a head that stays and filters; no cell is a formula. The same table gives the same bytes."""
    if len(table) > MOST_ROWS:
        return
    book = xlsxwriter.Workbook(
        path, {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    )
    book.set_properties({"created": pd.Timestamp("2000-01-01").to_pydatetime()})
    sheet = book.add_worksheet(path.stem[:31])
    head, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    cents = book.add_format({"num_format": "#,##0.00"})
    for place, name in enumerate(table.columns):
        sheet.write_string(0, place, str(name), head)
        sheet.set_column(place, place, max(10, min(len(str(name)) + 4, 40)), cents if name in MONEY else None)
        for row, value in enumerate(table[name].tolist(), start=1):
            if value is None or pd.isna(value):
                continue
            if isinstance(value, bool):
                sheet.write_boolean(row, place, value)
            elif isinstance(value, int | float):
                sheet.write_number(row, place, value)
            elif hasattr(value, "isoformat"):
                sheet.write_datetime(row, place, value, day)
            else:
                sheet.write_string(row, place, str(value))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(table), max(len(table.columns) - 1, 0))
    book.close()


def _lists(site: Site) -> Iterator[tuple[tuple[str | None, str | None], pd.DataFrame]]:
    """(manager_id and region, rows) of each list: a manager's, or a region's where accounts have no manager."""
    do = site.worklist[site.worklist["decision"] == "do"]
    for row in site.decided["worklist"]["managers"]:
        manager, region = row["manager_id"], row["region"]
        mine = do[_is(do["manager_id"], manager) & (_is(do["region"], region) if manager is None else True)]
        if len(mine):
            yield (manager, region), mine.sort_values("place")


def _is(column: pd.Series[Any], value: str | None) -> pd.Series[bool]:
    return column.isna() if value is None else column == value


def _is_text(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_string_dtype(column.dtype) or column.dtype == object)


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value
