"""What decide reads of the matrix does not change what it decides."""

from __future__ import annotations

import shutil

from pipeline import decide
from pipeline.frames import read_matrix
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
