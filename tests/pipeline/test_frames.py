"""Frames and texts are written whole or not at all; a matrix is read by cut-off, features at one as_of."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.engines import connect, open_tables
from features.errors import ConfigurationError, ContractError
from features.matrix import Plan
from features.periods import Duration, Label
from pipeline.frames import (
    known_until,
    meta_of,
    plan_from,
    plan_of,
    read_matrix,
    write_frame,
    write_text,
)
from pipeline.params import load
from tests.features.worlds import write

ROOT = Path(__file__).resolve().parents[2]
PLAN = Plan(Duration(1, "month"), Label(Duration(3, "month"), Duration(12, "month"), 2, Duration(5, "day")), 7, 0)
FRAME = pd.DataFrame({"account_id": ["A", "Ačme, Ltd"], "risk": [0.25, None], "as_of": [date(2024, 3, 15)] * 2})


def test_the_ending_chooses_the_format(tmp_path):
    write_frame(FRAME, tmp_path / "new" / "scores.csv")
    write_frame(FRAME, tmp_path / "new" / "scores.parquet")
    text = (tmp_path / "new" / "scores.csv").read_bytes().decode()
    assert text == 'account_id,risk,as_of\nA,0.25,2024-03-15\n"Ačme, Ltd",,2024-03-15\n'
    table = pq.read_table(tmp_path / "new" / "scores.parquet")
    assert table.to_pylist() == [
        {"account_id": "A", "risk": 0.25, "as_of": date(2024, 3, 15)},
        {"account_id": "Ačme, Ltd", "risk": None, "as_of": date(2024, 3, 15)},
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["scores.csv", "scores.parquet"]


@pytest.mark.parametrize("name", ["scores.xls", "scores", "scores.CSV", "scores.csv.gz"])
def test_another_ending_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(ConfigurationError, match=rf"{name}: the ending must be \.parquet or \.csv\."):
        write_frame(FRAME, tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_same_frame_gives_the_same_bytes(tmp_path, ending):
    for name in ("one", "two"):
        write_frame(FRAME.copy(), tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch, ending):
    path = tmp_path / f"scores.{ending}"
    write_frame(FRAME, path)
    before = path.read_bytes()

    def half(*arguments, **options):
        target = next(part for part in arguments if isinstance(part, Path))
        target.write_bytes(b"half of")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="no space left"):
        write_frame(FRAME, path)
    assert path.read_bytes() == before


def test_a_text_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "new" / "page.html"
    write_text("première", path)
    assert path.read_bytes() == "première".encode()
    real = Path.write_text

    def half(self, text, **options):
        real(self, text[:3], **options)
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="no space left"):
        write_text("second", path)
    assert path.read_bytes() == "première".encode()


@pytest.fixture
def matrix(tmp_path):
    folder = tmp_path / "matrix"
    folder.mkdir()
    days = [date(2024, 1, 15), date(2024, 2, 15)]
    for number, accounts in enumerate((["C", "D"], ["A", "B"])):
        rows = [(account, day) for day in days for account in accounts]
        frame = pd.DataFrame(rows, columns=["account_id", "as_of"]).assign(recency=float(number))
        write_frame(frame, folder / f"part-{number}.parquet")
    return folder


def test_a_matrix_is_read_in_order_of_cutoff_and_account(matrix):
    frame = read_matrix(matrix)
    assert frame["account_id"].tolist() == [*"ABCD"] * 2
    assert frame["as_of"].tolist() == [date(2024, 1, 15)] * 4 + [date(2024, 2, 15)] * 4
    assert frame["recency"].tolist() == [1, 1, 0, 0] * 2


def test_some_cutoffs_of_a_matrix(matrix):
    frame = read_matrix(matrix, [date(2024, 2, 15)])
    assert set(frame["as_of"]) == {date(2024, 2, 15)}
    assert len(frame) == 4
    assert len(read_matrix(matrix, [])) == 0


def test_a_cutoff_that_the_matrix_lacks_is_named(matrix):
    with pytest.raises(
        ConfigurationError,
        match=r"no accounts at the cut-off 2024-03-15\. .* choose among them, then run `holdfast feat",
    ):
        read_matrix(matrix, [date(2024, 4, 15), date(2024, 1, 15), date(2024, 3, 15)])


def test_a_missing_matrix_says_what_to_run(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"nowhere is missing\. Run `holdfast featurize` for this source first"
    ):
        read_matrix(tmp_path / "nowhere")


def test_a_plan_in_words_is_the_same_plan_again():
    words = json.loads(json.dumps(meta_of(PLAN)))
    assert words == {
        "period": "1 month",
        "horizon": "3 months",
        "eligible": "12 months",
        "min_orders": 2,
        "booking_lag": "5 days",
    }
    assert plan_from(words, block=7) == PLAN


def test_the_plan_is_that_of_the_parameters():
    params = load(ROOT, "simulated").featurize
    plan = plan_of(params)
    assert (plan.period, plan.block, plan.steps) == (params.period, params.block, params.steps)
    assert plan.label == Label(params.horizon, params.eligible, params.min_orders, params.booking_lag)


def test_data_are_known_until_the_day_after_the_last_order(tmp_path):
    rows = [
        {
            "order_id": str(day),
            "account_id": "A",
            "ordered_at": datetime(2024, 3, day, 18),
            "amount": 1,
            "is_return": False,
        }
        for day in (14, 2)
    ]
    for name, orders in (("some", rows), ("none", [])):
        (tmp_path / name).mkdir()
        write(tmp_path / name, {"orders": orders})
    assert known_until(open_tables(connect("1GB"), tmp_path / "some")) == date(2024, 3, 15)
    with pytest.raises(ContractError, match=r"orders: the table has no rows\. Check the extract"):
        known_until(open_tables(connect("1GB"), tmp_path / "none"))
