"""Which cut-offs the matrix holds: those with a label, and later ones of which a first period is known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.periods import Duration, rolling_cutoffs
from pipeline import featurize
from pipeline.frames import read_matrix
from pipeline.layout import Layout
from pipeline.params import load
from tests.features.test_time import order
from tests.features.worlds import write

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("given", "last", "until", "recent"),
    [
        ({}, date(2024, 3, 15), date(2024, 6, 15), [date(2024, 4, 15), date(2024, 5, 15)]),
        ({}, date(2024, 3, 15), date(2024, 6, 14), [date(2024, 4, 15)]),
        ({"booking_lag": Duration(2, "day")}, date(2024, 3, 15), date(2024, 6, 16), [date(2024, 4, 15)]),
        (
            {"horizon": Duration(90, "day")},
            date(2011, 9, 10),
            date(2011, 12, 10),
            [date(2011, 10, 10), date(2011, 11, 10)],
        ),
        ({"period": Duration(2, "month"), "horizon": Duration(1, "month")}, date(2024, 3, 15), date(2024, 4, 15), []),
    ],
)
def test_cutoffs_go_on_while_their_first_period_is_known(given, last, until, recent):
    params = load(ROOT, "simulated").featurize.model_copy(update=given)
    assert featurize.recent_cutoffs(params, last, until) == recent
    first = params.period.before(last, 3)
    assert rolling_cutoffs(first, last, params.period) + recent == [
        params.period.after(first, step) for step in range(4 + len(recent))
    ]


@pytest.mark.parametrize("last_label", [None, date(2024, 5, 10)])
def test_recent_cutoffs_are_rows_without_label(tmp_path, last_label):
    layout = Layout(tmp_path, "contract")
    layout.tables.parent.mkdir(parents=True)
    days = [day.date() for day in pd.date_range("2023-01-01", "2024-09-09", freq="15D")]
    rows = [order(number, "AB"[number % 2], day) for number, day in enumerate(days)]
    rows.append(order(900, "A", date(2024, 9, 9)))
    write(layout.tables, {"orders": rows})
    params = load(ROOT, "simulated").featurize.model_copy(update={"last_cutoff": last_label})
    featurize.run(layout, params)
    matrix = read_matrix(layout.matrix)
    labelled = sorted(set(matrix.loc[matrix["label"].notna(), "as_of"]))
    assert labelled[-1] == (last_label or date(2024, 6, 10))
    assert max(matrix["as_of"]) == date(2024, 8, 10)
    recent = matrix[matrix["as_of"] > labelled[-1]]
    assert recent["silent_1"].notna().all()
    assert len(set(recent["as_of"])) == (3 if last_label else 2)
    assert set(matrix.loc[matrix["silent_6"].notna(), "as_of"]) == {day for day in labelled if day <= date(2024, 3, 10)}


def test_columns_that_the_tables_do_not_show_any_more_are_named(tmp_path, caplog):
    layout = Layout(tmp_path, "contract")
    layout.tables.parent.mkdir(parents=True)
    days = [day.date() for day in pd.date_range("2023-01-01", "2024-03-09", freq="15D")]
    write(layout.tables, {"orders": [order(number, "AB"[number % 2], day) for number, day in enumerate(days)]})
    params = load(ROOT, "simulated").featurize
    featurize.run(layout, params)
    assert "are gone" not in caplog.text
    part = layout.matrix / "part-00000.parquet"
    whole, table = part.read_bytes(), pq.read_table(part)
    pq.write_table(table.append_column("contacts_3", table["recency"]), part)
    featurize.run(layout, params)
    assert (
        "1 columns of the matrix before are gone, for the tables do not show them any more: contacts_3" in caplog.text
    )
    part.write_bytes(b"damaged")
    featurize.run(layout, params)
    assert part.read_bytes() == whole
