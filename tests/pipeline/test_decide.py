"""What decide reads of the matrix does not change what it decides."""

from __future__ import annotations

import shutil
from datetime import date

import pandas as pd
import pytest

from pipeline import decide, explain, score
from pipeline.frames import label_of, read_matrix
from pipeline.layout import Layout
from pipeline.params import load


def test_a_few_columns_and_the_rows_of_who_was_approached_decide_as_the_whole_matrix_does(
    small_project, tmp_path, monkeypatch
):
    layout = Layout(tmp_path / "project", "contract")
    shutil.copytree(small_project, layout.root, symlinks=True)
    expected = {path.name: path.read_bytes() for path in layout.decisions.iterdir()}
    read = []

    def whole(folder, cutoffs=None, accounts=None, columns=None):
        read.append(read_matrix(folder, cutoffs, accounts, columns))
        return read_matrix(folder)

    monkeypatch.setattr(decide, "read_matrix", whole)
    decide.run(layout, load(layout.root, "contract"))
    assert {path.name: path.read_bytes() for path in layout.decisions.iterdir()} == expected
    matrix = read_matrix(layout.matrix)
    of_all, approached = read
    assert list(of_all) == [*decide.PAST, decide.LEFT_SINCE]
    assert len(of_all) == len(matrix)
    assert list(approached) == list(matrix)
    assert 0 < len(approached) < 0.2 * len(matrix)


@pytest.mark.filterwarnings("ignore:The set_.* function")  # SHAP's beeswarm calls it
def test_what_became_of_accounts_after_the_as_of_decides_nothing(small_project, tmp_path, monkeypatch):
    """A scoring of an earlier day: labels that had not matured then are turned about, later rows are gone."""
    layout, day = Layout(tmp_path / "project", "contract"), date(2024, 2, 1)
    shutil.copytree(small_project, layout.root, symlinks=True)
    params = load(layout.root, "contract")
    score.run(layout, params, score.Request(as_of=day))
    explain.run(layout, params)
    decide.run(layout, params)
    expected = {path.name: path.read_bytes() for path in layout.decisions.iterdir()}
    label, turned = label_of(params.featurize), []

    def other(folder, cutoffs=None, accounts=None, columns=None):
        rows = read_matrix(folder, cutoffs, accounts, columns)
        unknown = [label.matures(as_of) > day for as_of in rows["as_of"]]
        turned.append(rows.loc[unknown, "label"].notna().sum())
        rows["label"] = rows["label"].where(~pd.Series(unknown, rows.index), 1 - rows["label"])
        return rows[rows["as_of"] <= day].reset_index(drop=True)

    monkeypatch.setattr(decide, "read_matrix", other)
    decide.run(layout, params)
    assert turned[0] > 1000
    assert {path.name: path.read_bytes() for path in layout.decisions.iterdir()} == expected
