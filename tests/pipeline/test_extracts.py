"""One extract after another: the same again, rows doubled, columns and tables that come, go and change; zones and clocks."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from features.errors import ContractError
from models.tracking import data_hash
from pipeline import feedback_files, score
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import load
from tests.small_project import environment


@pytest.fixture
def arriving(project) -> tuple[Layout, Path]:
    """The project with data of its own, ingested from raw files that may be changed."""
    raw = project.root / "raw"
    shutil.copytree(project.raw, raw)
    tables = project.tables.resolve()
    (project.root / "data").unlink()
    shutil.copytree(tables, project.tables)
    return project, raw


def arrive(layout: Layout, raw: Path) -> None:
    ingest(layout.source, raw, layout.data, load(layout.root, layout.source).ingest, layout.root)


def scored(layout: Layout) -> bytes:
    score.run(layout, load(layout.root, layout.source), score.Request())
    return layout.scores.read_bytes()


def change(raw: Path, name: str, how: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(how(pq.read_table(raw / f"{name}.parquet")), raw / f"{name}.parquet")


def without(*names: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns(list(names))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_extract_twice_leaves_the_same_bytes_and_is_not_scored_again(arriving):
    layout, raw = arriving
    arrive(layout, raw)
    before, hashed = files(layout.data), data_hash(layout.tables)
    scored(layout)
    arrive(layout, raw)
    assert files(layout.data) == before
    assert data_hash(layout.tables) == hashed
    asked = score.Request()
    assert score.run(layout, load(layout.root, layout.source), asked)["status"] == "already scored"


def test_rows_that_come_in_another_order_are_the_same_extract(arriving):
    layout, raw = arriving
    arrive(layout, raw)
    hashed = data_hash(layout.tables)
    change(raw, "orders", lambda table: table.take(list(reversed(range(len(table))))))
    arrive(layout, raw)
    assert data_hash(layout.tables) == hashed


@pytest.mark.parametrize("name", ["orders", "accounts", "complaints", "contacts"])
def test_a_table_delivered_twice_over_is_refused(arriving, name):
    layout, raw = arriving
    before = files(layout.data)
    change(raw, name, lambda table: pa.concat_tables([table, table]))
    with pytest.raises(ContractError, match=rf"{name} \(.*\): the key must not repeat"):
        arrive(layout, raw)
    assert files(layout.data) == before


@pytest.mark.parametrize(
    ("name", "how", "told"),
    [
        (
            "orders",
            lambda table: table.rename_columns(["amont" if n == "amount" else n for n in table.column_names]),
            r"orders\.amount: the column is missing; is it 'amont'\?",
        ),
        ("orders", without("account_id"), r"orders\.account_id: the column is missing"),
        (
            "orders",
            lambda table: table.set_column(
                table.column_names.index("amount"), "amount", pc.binary_join_element_wise("EUR", pc.cast(table["amount"], "string"), " ")
            ),
            r"orders\.amount: ",
        ),
        (
            "complaints",  # an optional one: without this, its features would go
            lambda table: table.rename_columns(["resolved" if n == "resolved_at" else n for n in table.column_names]),
            r"complaints\.resolved: the contract has no such column; is it 'resolved_at'\?",
        ),
    ],
    ids=["renamed", "gone", "type", "optional"],
)  # fmt: skip
def test_a_column_that_drifts_is_refused_and_the_tables_of_before_stay(arriving, name, how, told):
    layout, raw = arriving
    before = files(layout.data)
    change(raw, name, how)
    with pytest.raises(ContractError, match=told):
        arrive(layout, raw)
    assert files(layout.data) == before


@pytest.mark.parametrize(
    ("drift", "gone"),
    [
        (lambda raw: (raw / "complaints.parquet").unlink(), "complaints_open"),
        (lambda raw: change(raw, "complaints", without("resolved_at")), "complaints_open"),
    ],
    ids=["table", "column"],
)  # fmt: skip
def test_an_optional_column_or_table_that_goes_is_told_by_the_scoring_as_a_diff(arriving, drift, gone):
    layout, raw = arriving
    scored(layout)
    before = files(layout.artifacts)
    drift(raw)
    arrive(layout, raw)
    with pytest.raises(ContractError, match=rf"(?s)they do not fit the model.*- {gone}: no table shows it"):
        scored(layout)
    assert files(layout.artifacts) == before


def test_a_column_that_is_new_is_told_and_changes_nothing(arriving, caplog):
    layout, raw = arriving
    arrive(layout, raw)
    before = scored(layout)
    change(raw, "orders", lambda table: table.append_column("weather", pa.array(["fine"] * len(table))))
    with caplog.at_level(logging.INFO, "holdfast"):
        arrive(layout, raw)
    assert "left out unknown columns weather" in caplog.text
    assert scored(layout) == before


def test_a_clock_that_is_behind_has_the_last_orders_refused_not_left_out(arriving, monkeypatch):
    layout, raw = arriving
    before = files(layout.data)
    monkeypatch.setattr(feedback_files, "datetime", Behind)
    with pytest.raises(ContractError, match=r"orders\.ordered_at: .*ingest\.latest, or today where that is null"):
        arrive(layout, raw)
    assert files(layout.data) == before


class Behind(datetime):
    """A clock that has been set back."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2022, 6, 1, tzinfo=UTC)


RUN = """
from pathlib import Path
from pipeline import featurize, score
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import load
layout = Layout(Path.cwd(), "simulated")
params = load(layout.root, layout.source)
ingest(layout.source, layout.root / "raw", layout.data, params.ingest, layout.root)
featurize.run(layout, params.featurize)
score.run(layout, params, score.Request(force=True))
"""


@pytest.mark.slow
def test_the_zone_of_the_machine_changes_no_byte(arriving):
    """Orders at both ends of a day, with and without a zone of their own."""
    layout, raw = arriving
    orders = pq.read_table(raw / "orders.parquet")
    days = pc.strftime(orders["ordered_at"], "%Y-%m-%d").to_pylist()
    times = ("T23:50:00", "T00:10:00", "T23:30:00-05:00", "T00:30:00+08:00")
    told = [f"{day}{times[number % 4]}" for number, day in enumerate(days)]
    (raw / "orders.parquet").unlink()
    place = orders.column_names.index("ordered_at")
    pacsv.write_csv(orders.set_column(place, "ordered_at", pa.array(told)), raw / "orders.csv")
    found = {}
    for zone in ("UTC", "Asia/Shanghai", "America/Los_Angeles"):
        asked = {**environment(layout.root), "TZ": zone, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [sys.executable, "-c", RUN], cwd=layout.root, env=asked, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        left = {**files(layout.data), **files(layout.history), "scores": layout.scores.read_bytes()}
        found[zone] = left
    for zone, left in found.items():
        assert [name for name in found["UTC"] if left[name] != found["UTC"][name]] == [], zone
