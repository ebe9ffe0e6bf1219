"""The same numbers to the cent on the pages and in every file, and no cell that a spreadsheet would run."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest

from reports import exports

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "plain", None]


@pytest.fixture(scope="module")
def files(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    exports.write(site, folder)
    return folder


def workbook(path) -> pd.DataFrame:
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    return pd.DataFrame(rows[1:], columns=rows[0])


def text(column: pd.Series) -> list[str]:
    return [
        "" if pd.isna(value) else value.strftime("%Y-%m-%d") if hasattr(value, "strftime") else str(value)
        for value in column
    ]


@pytest.mark.parametrize("name", exports.TITLES)
def test_csv_workbook_and_parquet_hold_the_same(files, name):
    parquet = pd.read_parquet(files / f"{name}.parquet")
    csv = pd.read_csv(files / f"{name}.csv", encoding="utf-8-sig")
    book = workbook(files / f"{name}.xlsx")
    assert len(parquet) > 1
    assert list(parquet) == list(csv) == list(book)
    for column in parquet:
        if pd.api.types.is_numeric_dtype(parquet[column]) and not pd.api.types.is_bool_dtype(parquet[column]):
            wanted = parquet[column].astype(float).to_numpy()
            for other in (csv, book):
                found = other[column].astype(float).to_numpy()
                # Amounts to the cent; of other numbers a workbook keeps fifteen digits.
                np.testing.assert_allclose(found, wanted, rtol=0 if column in exports.MONEY else 1e-14, err_msg=column)
        else:
            assert text(csv[column]) == text(parquet[column]), column
            assert text(book[column]) == text(parquet[column]), column


@pytest.mark.parametrize(
    ("page", "table", "column", "rows"),
    [
        ("worklist.html", "worklist", "profit", lambda table: table[table["decision"] == "do"]),
        ("win_back.html", "win_back", "profit", lambda table: table),
        ("win_back.html", "win_back", "value", lambda table: table),
        ("managers.html", "managers", "extra", lambda table: table),
        ("managers.html", "managers", "expected_loss", lambda table: table),
        ("index.html", "accounts", "expected_loss", lambda table: table[~table["lapsed"]].nlargest(7, "expected_loss")),
    ],
)
def test_a_page_has_the_same_amounts_to_the_cent(files, pages, page, table, column, rows):
    known = rows(pd.read_parquet(files / f"{table}.parquet"))
    shown = re.findall(r'<data value="(-?\d+\.\d\d)">', pages[page])
    assert len(known) > 1
    assert {f"{amount:.2f}" for amount in known[column]} <= set(shown)


def test_the_sum_of_a_file_is_the_figure_on_the_page(files, pages):
    accounts = pd.read_csv(files / "accounts.csv", encoding="utf-8-sig").query("not lapsed")
    tile = re.search(r'Money at risk</dt><dd class="value"><data value="([\d.]+)"', pages["index.html"])[1]
    assert float(tile) == pytest.approx(accounts["expected_loss"].sum(), abs=0.005 * len(accounts))
    page = pages[f"accounts/{accounts['account_id'].iloc[0]}.html"]
    loss = re.search(r'Expected loss</dt><dd class="value"><data value="([\d.]+)"', page)[1]
    assert loss == f"{accounts['expected_loss'].iloc[0]:.2f}"


def test_the_lists_of_managers_and_regions_are_the_worklist_cut_up(files):
    whole = pd.read_csv(files / "worklist.csv", encoding="utf-8-sig").query("decision == 'do'")
    lists = [pd.read_csv(path, encoding="utf-8-sig") for path in sorted(files.glob("worklist-*.csv"))]
    assert len(lists) > 1
    for mine in lists:
        assert mine["place"].tolist() == list(range(1, len(mine) + 1))
        assert mine["manager_id"].nunique(dropna=False) == 1
    together = pd.concat(lists)
    assert sorted(together["account_id"]) == sorted(whole["account_id"])
    assert together["profit"].sum() == pytest.approx(whole["profit"].sum())
    assert {path.stem for path in files.glob("worklist-*.xlsx")} == {path.stem for path in files.glob("worklist-*.csv")}


def test_no_cell_is_a_formula_or_a_link(tmp_path):
    table = pd.DataFrame({"name": FORMULAS, "at": ["http://x.example"] * len(FORMULAS), "amount": range(len(FORMULAS))})
    exports.write_csv(table, tmp_path / "t.csv")
    exports.write_workbook(table, tmp_path / "t.xlsx")
    csv = pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig", keep_default_na=False)
    assert csv["name"].tolist() == [*(f"'{name}" for name in FORMULAS[:6]), "plain", ""]
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells if cell.value is not None} <= {"s", "inlineStr"}
    assert [cell.value for cell in cells if cell.value] == [
        name.replace("\r", "_x000D_") if cell.value.startswith("_x") else name
        for name, cell in zip(FORMULAS, cells, strict=True)
        if name
    ]
    assert all(cell.hyperlink is None for row in sheet.iter_rows() for cell in row)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    table = pd.DataFrame({"name": ["Ø", "波"], "until": [date(2025, 1, 1), None], "amount": [1.005, -0.001]})
    files = [tmp_path / place / "t.xlsx" for place in ("one", "other")]
    for file in files:
        file.parent.mkdir()
        exports.write_workbook(exports.rounded(table), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    # Written within one second, both would hold the same time of day.
    assert openpyxl.load_workbook(files[0]).properties.created == datetime(2000, 1, 1)
    assert workbook(files[0])["amount"].tolist() == [1.0, 0.0]  # 1.005 lies below itself in binary


def test_a_table_without_rows_has_no_file(site, tmp_path):
    exports.write(replace(site, prospects=site.prospects.head(0)), tmp_path)
    assert not list(tmp_path.glob("prospects.*"))
    assert "prospects" not in [file["name"] for file in exports.listed(replace(site, prospects=site.prospects.head(0)))]
