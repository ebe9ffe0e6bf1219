"""An engine keeps tables, reads them block by block, and lets go of them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from features.engines import connect, engine_of, open_tables
from features.errors import ConfigurationError


def rows_of(read, low, high) -> pa.Table:
    kept = read("numbers")
    return pa.table(
        {"low": [low], "high": [high], "sum": [sum(kept["value"].tolist())], "code": [kept["code"].tolist()]}
    )


def test_a_folder_without_orders_is_refused(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"has no orders\.parquet\. Run `holdfast ingest` for this source first"
    ):
        open_tables(connect("1GB"), tmp_path)


def test_each_block_reads_its_own_rows_and_the_last_one_what_is_left():
    engine = engine_of(connect("1GB"))
    given = engine.put("given", pa.table({"code": [4, 0, 1, 2, 3], "value": [40, 0, 10, 20, 30]}))
    engine.store("numbers", given.filter(given.value > 0))
    engine.wait()
    parts = list(engine.blocks({"numbers": ["code", "value"]}, 5, 2, rows_of))
    assert [part.to_pylist()[0] for part in parts] == [
        {"low": 0, "high": 2, "sum": 10, "code": [1]},
        {"low": 2, "high": 4, "sum": 50, "code": [0, 1]},
        {"low": 4, "high": 5, "sum": 40, "code": [0]},
    ]


def test_what_cannot_be_kept_is_said_when_it_is_waited_for():
    engine = engine_of(connect("1GB"))
    given = engine.put("given", pa.table({"text": ["not a number"]}))
    engine.store("numbers", given.select(code=given.text.cast("int64")))
    with pytest.raises(Exception, match="Could not convert string 'not a number'"):
        engine.wait()
    engine.close()


def test_nothing_is_kept_once_closed():
    connection = connect("1GB")
    engine = engine_of(connection)
    engine.store("again", engine.put("given", pa.table({"code": [1]})))
    engine.close()
    assert connection.raw_sql("SELECT table_name FROM duckdb_tables()").fetchall() == []
