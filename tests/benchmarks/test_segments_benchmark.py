"""The benchmark of the classes tells those that lose from those that do not, on a small market."""

from __future__ import annotations

from datetime import date

from benchmarks.segments import ROOT, told_apart
from features.engines import connect, open_tables
from market.simulate import simulate, write
from models.segments import CLASSES
from pipeline.params import load


def test_classes_are_told_apart_at_the_last_cutoff_with_a_horizon_behind_it(tmp_path):
    write(simulate(500, 34, 101, date(2021, 1, 1)), tmp_path / "tables", tmp_path / "truth.parquet")
    connection = connect("1GB")
    told = told_apart(open_tables(connection, tmp_path / "tables"), load(ROOT, "simulated"), 1)
    connection.disconnect()
    assert set(told) == {"accounts", *CLASSES, "auc", "auc_buying"}
    assert 50 < told["accounts"] <= 500
    assert told["EI"] < told["EII"] <= 1
    assert told["EIII"] < told["EIV"] <= 1
    assert 0.5 < told["auc_buying"] < told["auc"] < 1
