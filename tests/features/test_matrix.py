"""The matrix's columns, its writing, and that neither blocks nor threads nor the disk change it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import matrix, parts
from features.catalog import FEATURES
from features.engines import connect, open_tables
from features.matrix import KEYS, MOST_STEPS, Plan, build, features_of, schema_of
from features.peers import peered
from tests.features.worlds import LABEL, MONTH, world, write

CUTOFFS = [date(2024, 1, 15), date(2024, 3, 15), date(2024, 2, 29)]
UNTIL = date(2024, 9, 1)
FEW = [feature for feature in FEATURES if feature.name in ("recency", "amount_3")] + peered(FEATURES)[:4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write(path, world(8))
    return path


def parts_of(folder: Path, block: int, features=FEW, cutoffs=CUTOFFS) -> list[pa.Table]:
    connection = connect("1GB")
    tables = open_tables(connection, folder)
    parts = list(build(connection, tables, cutoffs, Plan(MONTH, LABEL, block), UNTIL, features, progress=False))
    connection.disconnect()
    return parts


def frame_of(parts: list[pa.Table]) -> pd.DataFrame:
    return pa.concat_tables(parts).to_pandas().sort_values(["as_of", "account_id"], ignore_index=True)


def test_keys_come_first_then_the_features_as_numbers():
    schema = schema_of(FEATURES[:2], 1)
    assert schema.names == ["account_id", "as_of", "label", "lapsed", "silent_1", FEATURES[0].name, FEATURES[1].name]
    assert schema.types == [pa.string(), pa.date32(), pa.float64(), pa.bool_(), *[pa.float64()] * 3]
    assert schema_of([], 3).names == ["account_id", "as_of", "label", "lapsed", "silent_1", "silent_2", "silent_3"]
    assert set(schema_of([], MOST_STEPS).names) <= set(KEYS)


def test_parts_have_the_schema_and_are_ordered_by_cutoff_and_account(folder):
    for part in parts_of(folder, 4):
        assert part.schema == schema_of(FEW)
        keys = list(zip(part["as_of"].to_pylist(), part["account_id"].to_pylist(), strict=True))
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)


def test_all_that_the_tables_can_show_is_the_default(tmp_path):
    write(tmp_path, {"orders": world(8)["orders"]})
    connection = connect("1GB")
    tables = open_tables(connection, tmp_path)
    parts = list(build(connection, tables, CUTOFFS[:1], Plan(MONTH, LABEL), UNTIL, progress=False))
    assert parts[0].schema == schema_of(features_of(tables))
    assert 20 < len(features_of(tables)) < len(FEATURES)


@pytest.mark.parametrize("block", [1, 4])
def test_blocks_do_not_change_the_matrix(folder, block):
    whole = frame_of(parts_of(folder, 1000))
    assert {day for day in whole["as_of"]} == set(CUTOFFS)
    pd.testing.assert_frame_equal(frame_of(parts_of(folder, block)), whole, check_exact=True)


def held(connection) -> list[tuple[str]]:
    return sorted(connection.raw_sql("SELECT table_name FROM duckdb_tables()").fetchall())


def test_nothing_stays_in_the_engine_and_a_second_matrix_is_the_same(folder):
    connection = connect("1GB")
    tables = open_tables(connection, folder)
    before = held(connection)
    plan = Plan(MONTH, LABEL)
    first, second = (frame_of(list(build(connection, tables, CUTOFFS, plan, UNTIL, FEW, progress=False))) for _ in "ab")
    pd.testing.assert_frame_equal(first, second)
    assert held(connection) == before
    next(build(connection, tables, CUTOFFS, plan, UNTIL, FEW, progress=False)).validate()  # given up after one part
    assert held(connection) == before


def test_nobody_is_eligible_before_the_first_order(folder):
    (part,) = parts_of(folder, 1000, cutoffs=[date(2020, 1, 15)])
    assert part.num_rows == 0
    assert part.schema == schema_of(FEW)


@pytest.mark.parametrize("room", ["none", "one part"])
def test_parts_that_wait_on_disk_get_the_same_peers(folder, monkeypatch, on_disk, room):
    in_memory = parts_of(folder, 2)
    assert peered(FEW)
    assert len(in_memory) == 6  # three blocks for each of two grids
    # a part has one more column while it waits
    monkeypatch.setattr(parts, "HELD", 0 if room == "none" else 2 * in_memory[0].nbytes)
    waited = parts_of(folder, 2)
    assert 0 < len(on_disk) <= 6
    assert (len(on_disk) == 6) == (room == "none")
    assert not any(path.exists() for path in on_disk)  # swept up
    pd.testing.assert_frame_equal(frame_of(waited), frame_of(in_memory), check_exact=True)
    assert [part.schema for part in waited] == [part.schema for part in in_memory]


def test_who_gives_up_and_closes_leaves_nothing(folder, monkeypatch, on_disk):
    monkeypatch.setattr(parts, "HELD", 0)
    connection = connect("1GB")
    tables = open_tables(connection, folder)
    before = held(connection)
    building = build(connection, tables, CUTOFFS, Plan(MONTH, LABEL, 2), UNTIL, FEW, progress=False)
    next(building)
    assert all(path.exists() for path in on_disk)
    assert held(connection) != before
    building.close()
    assert on_disk
    assert not any(path.parent.exists() for path in on_disk)
    assert held(connection) == before
    connection.disconnect()


def test_peers_are_those_of_the_same_cutoff(folder):
    both = frame_of(parts_of(folder, 2))
    for day in CUTOFFS[:2]:
        alone = frame_of(parts_of(folder, 2, cutoffs=[day]))
        pd.testing.assert_frame_equal(both[both["as_of"] == day].reset_index(drop=True), alone, check_exact=True)


def part(number: int) -> pa.Table:
    values = [[f"A{number}", f"B{number}"], [date(2024, 3, 15)] * 2, [None, 1.0], [False, True]]
    return pa.table(dict(zip(KEYS[:4], values, strict=True)), schema=schema_of([], 0))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_parts_are_written_in_order_and_counted(tmp_path):
    target = tmp_path / "data" / "matrix"
    assert matrix.write(iter([part(0), part(1), part(2)]), target) == 6
    assert sorted(files(target)) == ["_parts.json", *(f"part-0000{number}.parquet" for number in range(3))]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["matrix"]
    assert pq.read_table(target / "part-00001.parquet").equals(part(1))


def test_a_new_matrix_replaces_the_earlier_one(tmp_path):
    matrix.write(iter([part(0), part(1)]), tmp_path / "matrix")
    matrix.write(iter([part(2)]), tmp_path / "matrix")
    assert sorted(files(tmp_path)) == ["matrix/_parts.json", "matrix/part-00000.parquet"]
    assert pq.read_table(tmp_path / "matrix" / "part-00000.parquet").equals(part(2))


def test_the_same_parts_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        matrix.write(iter([part(0), part(1)]), tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def failing() -> Iterator[pa.Table]:
    yield part(7)
    yield part(8)
    raise ValueError("the engine gave up")


def test_a_failure_while_building_leaves_the_earlier_matrix(tmp_path):
    matrix.write(iter([part(0), part(1)]), tmp_path / "matrix")
    before = files(tmp_path / "matrix")
    with pytest.raises(ValueError, match="the engine gave up"):
        matrix.write(failing(), tmp_path / "matrix")
    assert files(tmp_path / "matrix") == before
    matrix.write(iter([part(2)]), tmp_path / "matrix")  # what the failure left behind is in nobody's way
    assert sorted(files(tmp_path)) == ["matrix/_parts.json", "matrix/part-00000.parquet"]


def test_a_failure_while_writing_leaves_the_earlier_matrix(tmp_path, monkeypatch):
    matrix.write(iter([part(0)]), tmp_path / "matrix")
    before = files(tmp_path / "matrix")
    real = pq.write_table

    def fails(table, path, **options):
        if path.name == "part-00001.parquet":
            raise OSError("no space left on device")
        real(table, path, **options)

    monkeypatch.setattr(pq, "write_table", fails)
    with pytest.raises(OSError, match="no space left"):
        matrix.write(iter([part(3), part(4), part(5)]), tmp_path / "matrix")
    assert files(tmp_path / "matrix") == before


def test_a_first_matrix_that_fails_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="the engine gave up"):
        matrix.write(failing(), tmp_path / "matrix")
    assert not (tmp_path / "matrix").exists()


def test_an_order_without_amount_is_still_an_order(tmp_path):
    orders = [
        {"order_id": "1", "account_id": "A", "ordered_at": datetime(2024, 3, 1), "amount": 0, "is_return": False},
        {"order_id": "2", "account_id": "B", "ordered_at": datetime(2024, 3, 1), "amount": -5, "is_return": True},
    ]
    write(tmp_path, {"orders": orders})
    (found,) = parts_of(tmp_path, 10, features=[FEW[0]], cutoffs=[date(2024, 3, 15)])
    assert found["account_id"].to_pylist() == ["A"]  # a return is none
    assert np.isfinite(found[FEW[0].name].to_numpy()).all()
