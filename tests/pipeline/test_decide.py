"""What decide reads of the matrix does not change what it decides."""

from __future__ import annotations

import shutil
from datetime import date

import pandas as pd
import pytest

from models.lineage import read_lineage
from pipeline import decide, explain, score
from pipeline.frames import label_of, read_matrix, write_frame
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


def test_only_a_named_natural_end_closes_a_case(small_project, tmp_path):
    """As one of two candidates it is the other one that is acted on; as a guess none is."""
    layout = Layout(tmp_path / "project", "contract")
    shutil.copytree(small_project, layout.root, symlinks=True)
    scores = pd.read_parquet(layout.scores)
    active = scores.index[~scores["lapsed"]]
    told = {
        active[0]: ("named", "natural_end", "product"),
        active[1]: ("candidates", "natural_end", "product"),
        active[2]: ("candidates", "product", "natural_end"),
        active[3]: ("untried", "natural_end", "product"),
    }
    for row, values in told.items():
        scores.loc[row, ["naming", "reason_1", "reason_2"]] = values
    write_frame(scores, layout.scores, read_lineage(layout.scores))
    decide.run(layout, load(layout.root, "contract"))
    listed = pd.read_parquet(layout.decisions / "worklist.parquet").set_index("account_id")
    listed = listed.loc[scores.loc[list(told), "account_id"]]
    assert listed["reason"].fillna("").tolist() == ["natural_end", "product", "product", ""]
    assert listed["other_reason"].fillna("").tolist() == ["", "natural_end", "natural_end", ""]
    assert (listed["why"] == "objective").tolist()[1:] == [False] * 3


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
