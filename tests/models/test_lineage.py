"""The lineage of an output is kept in it, read back from it, and compared by content."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pyarrow.parquet as pq
import pytest

from models import lineage
from models.lineage import KEY, beside, code_hash, lineage_of, read_lineage, same
from pipeline.frames import write_frame, write_text

LINEAGE = {"as_of": "2024-03-31", "data_hash": "abc", "model_version": "3", "code_version": "1234567"}
FRAME = pd.DataFrame({"account_id": ["A", "B"], "risk": [0.5, 0.25]})


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_a_table_keeps_its_lineage(tmp_path, name):
    path = tmp_path / name
    assert read_lineage(path) is None
    write_frame(FRAME, path, LINEAGE)
    assert read_lineage(path) == LINEAGE
    write_frame(FRAME, path)
    assert read_lineage(path) is None
    assert not beside(path).exists()


def test_in_parquet_it_changes_nothing_that_is_read(tmp_path):
    write_frame(FRAME, tmp_path / "scores.parquet", LINEAGE)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), FRAME)
    assert json.loads(pq.read_schema(tmp_path / "scores.parquet").metadata[KEY]) == LINEAGE


def test_a_lineage_without_its_rows_is_none(tmp_path):
    write_frame(FRAME, tmp_path / "scores.csv", LINEAGE)
    (tmp_path / "scores.csv").unlink()
    assert read_lineage(tmp_path / "scores.csv") is None


@pytest.mark.parametrize("text", ["{", "{}", '{"lineage": 3}'])
def test_a_json_file_that_tells_none(tmp_path, text):
    write_text(text, tmp_path / "live.json")
    assert read_lineage(tmp_path / "live.json") is None
    write_text(json.dumps({"lineage": LINEAGE}), tmp_path / "live.json")
    assert read_lineage(tmp_path / "live.json") == LINEAGE


def test_names_of_what_the_hashes_tell_are_not_compared():
    assert same(LINEAGE, {**LINEAGE, "model_version": None, "code_version": "7654321-changed"})
    assert not same(LINEAGE, {**LINEAGE, "data_hash": "abd"})
    assert not same(LINEAGE, {**LINEAGE, "since": {}})
    assert not same(LINEAGE, None)
    assert not same(None, None)


def test_data_models_and_parameters_are_told_by_content(tmp_path, model):
    class Why:
        content_hash = "def"

    (tmp_path / "orders.parquet").write_bytes(b"1")
    given = [model, Why, "3", date(2024, 3, 31)]
    first = lineage_of(tmp_path, *given, {"rank": 10})
    assert (first["model_hash"], first["cause_hash"], first["as_of"]) == (model.content_hash, "def", "2024-03-31")
    assert lineage_of(tmp_path, *given, {"rank": 10}) == first
    assert lineage_of(tmp_path, *given, {"rank": 11})["params_hash"] != first["params_hash"]
    (tmp_path / "orders.parquet").write_bytes(b"2")
    assert lineage_of(tmp_path, *given, {"rank": 10})["data_hash"] != first["data_hash"]


def test_the_code_is_told_by_content(tmp_path, monkeypatch):
    for package in lineage.PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "features" / "one.py").write_text("A = 1\n")
    monkeypatch.setattr(lineage, "CODE", tmp_path)
    first = code_hash()
    (tmp_path / "models" / "notes.txt").write_text("no code")
    assert code_hash() == first
    (tmp_path / "features" / "one.py").write_text("A = 2\n")
    second = code_hash()
    (tmp_path / "features" / "one.py").rename(tmp_path / "models" / "one.py")
    assert len({first, second, code_hash()}) == 3
