"""The notebooks run as they are, in a small project, and end with a finding."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_project import ROOT, environment

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
CELL = re.compile(r"^# %%(?: \[markdown\])?\n", re.MULTILINE)


@pytest.mark.snippets
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_ends_with_its_finding(notebook: Path, small_project: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(small_project, project, symlinks=True)
    before = (project / "params.yaml").read_text()
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", str(notebook)],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    finding = done.stdout.strip().splitlines()[-1]
    assert re.search(r"\d", finding)
    assert "nan" not in finding
    number = notebook.stem.split("_")[0]
    pictures = [path.stat().st_size for path in (project / "artifacts/simulated/notebooks").glob(f"{number}_*.png")]
    assert pictures
    assert min(pictures) > 5_000
    assert (project / "params.yaml").read_text() == before


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_in_percent_format_asks_first_and_defines_nothing(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    kinds = CELL.findall(text)
    cells = CELL.split(text)
    assert cells[0] == ""
    for kind, cell in zip(kinds, cells[1:], strict=True):
        lines = cell.strip().splitlines()
        assert lines, "an empty cell"
        assert ("markdown" in kind) == all(line.startswith("#") for line in lines)
    assert "**Question.**" in cells[1]
    assert cells[-2] == "# ## Finding\n\n"
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(ast.parse(text)))


def test_there_are_five() -> None:
    assert [path.stem.split("_")[0] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]
