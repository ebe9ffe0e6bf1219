"""Spark agrees with DuckDB: every declared feature and label on generated worlds, and the scores of a market.

Few and fat: beginning a session and planning a fold take longer than their work. `make spark` runs them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import spark
from features.catalog import FEATURES
from features.engines import connect, engine_of, open_tables
from features.errors import ConfigurationError
from features.labels import DEFINITIONS
from features.matrix import Plan, build
from features.periods import Duration
from tests.features.worlds import LABEL, MONTH, world, write

# Tiny data: what Spark would compile and adapt for large ones costs more than it saves.
SETTINGS = {
    "spark.sql.shuffle.partitions": 1,
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "ERROR",
}
needs_spark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # inside PySpark on pandas 3
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # py4j leaves its sockets to the collector
]


def marked(test: Any) -> Any:
    for mark in needs_spark:
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    connection = spark.connect("local[2]", SETTINGS)
    yield connection
    connection.disconnect()


@marked
@pytest.mark.parametrize(
    ("seed", "period", "cutoffs"),
    [
        (1, MONTH, [date(2024, 3, 15), date(2024, 1, 15), date(2023, 8, 15)]),
        (2, Duration(30, "day"), [date(2024, 3, 15), date(2024, 2, 14)]),
    ],
    ids=["months", "days"],
)
def test_the_matrix_agrees_with_that_of_duckdb(tmp_path, session, seed, period, cutoffs):
    write(tmp_path / "world", world(seed))
    plan = Plan(period, LABEL, 2, beside=tuple(DEFINITIONS))

    def matrix(connection: Any) -> pd.DataFrame:
        tables = open_tables(connection, tmp_path / "world")
        parts = build(connection, tables, cutoffs, plan, date(2024, 9, 1), progress=False)
        return pa.concat_tables(list(parts)).to_pandas()

    found, expected = matrix(session), matrix(connect("1GB"))
    assert {feature.name for feature in FEATURES} <= set(found.columns)
    assert len(expected) > 6
    for name in expected.columns:
        if expected[name].dtype == np.float64:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9, err_msg=name)
        else:
            pd.testing.assert_series_equal(found[name], expected[name])
    assert not [name for name in session.list_tables() if name.startswith("fold")]  # nothing stays behind
    assert not session._session.sparkContext._jsc.getPersistentRDDs().size()


@marked
def test_a_mistake_met_in_an_executor_is_told_as_one(session):
    engine = engine_of(session)
    engine.store("numbers", engine.put("given", pa.table({"code": [0, 1, 2], "value": [1.0, 2.0, 3.0]})))

    def work(read, low, high):
        if low:
            raise ConfigurationError(f"The sums from {read('numbers')['value'].tolist()} on are too large.")
        return pa.table({"sum": [read("numbers")["value"].sum()]})

    parts = iter(engine.blocks({"numbers": ["code", "value"]}, 3, 2, work).map(lambda part: part))
    assert next(parts)["sum"].to_pylist() == [3.0]
    with pytest.raises(ConfigurationError, match=r"^The sums from \[3\.0\] on are too large\.$"):
        next(parts)
    engine.close()


def test_a_setting_names_a_variable_of_the_environment(monkeypatch):
    monkeypatch.setenv("STORE_KEY", "s3cret")
    assert spark._from_environment("spark.hadoop.key", "a-${STORE_KEY}-b") == "a-s3cret-b"
    monkeypatch.delenv("STORE_KEY")
    with pytest.raises(
        ConfigurationError, match=r"spark\.hadoop\.key names the environment variable STORE_KEY, which is not set"
    ):
        spark.connect("local[1]", {"spark.hadoop.key": "${STORE_KEY}"})


def test_without_pyspark_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'holdfast\[spark\]'.*Java 17.*engine to duckdb"):
        spark.connect("local[1]", {})
