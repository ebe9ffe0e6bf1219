"""One process at a time, its temporary files in a place of their own, and a summary however it ends."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from features.errors import ConfigurationError, LimitError
from pipeline import cli
from pipeline.job import alone, scratch, summarised
from tests.small_project import project_at


def test_who_holds_the_lock_is_told_and_forgotten_afterwards(tmp_path):
    folder = tmp_path / "artifacts"
    with alone(folder, "score"):
        told = json.loads((folder / ".score.holder.json").read_text())
        assert told["process"] == os.getpid()
        with (
            pytest.raises(
                ConfigurationError, match=rf"Another score writes to .*: process {os.getpid()} on .*, since 20"
            ),
            alone(folder, "score"),
        ):
            pass
        assert (folder / ".score.holder.json").exists()  # who was refused has not forgotten the other's
    assert [path.name for path in folder.iterdir()] in ([".score.lock"], [])
    with alone(folder, "score"):
        pass


@pytest.mark.parametrize(
    "stage", ["featurize", "train", "evaluate", "score", "monitor", "explain", "decide", "report", "labels"]
)
def test_no_stage_runs_twice_at_a_time_on_a_source(tmp_path, monkeypatch, capsys, stage):
    """Both would write the same files, and what is moved into place would be of neither."""
    project_at(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr("sys.argv", ["holdfast", stage, "--source", "contract"])
    with alone(tmp_path / "project" / "artifacts" / "contract", stage), pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert f"Another {stage} writes to" in capsys.readouterr().err


def test_a_holder_that_has_not_said_who_it_is(tmp_path):
    with (
        FileLock(tmp_path / ".score.lock"),
        pytest.raises(ConfigurationError, match=r"a process that has just begun\. Nothing was done"),
        alone(tmp_path, "score"),
    ):
        pass


def test_what_a_killed_process_left_does_not_hinder(tmp_path):
    (tmp_path / ".score.lock").write_text("")
    (tmp_path / ".score.holder.json").write_text("{")
    with alone(tmp_path, "score"):
        assert json.loads((tmp_path / ".score.holder.json").read_text())["process"] == os.getpid()


def test_temporary_files_lie_in_the_scratch_and_go_with_it(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "left by another").write_text("")
    before = tempfile.gettempdir()
    with scratch(folder), tempfile.TemporaryDirectory() as inside:
        assert Path(inside).parent == folder.resolve()
        assert [path.name for path in folder.iterdir()] == [Path(inside).name]
    assert not folder.exists()
    assert tempfile.gettempdir() == before


def test_the_summary_of_what_went_well(tmp_path, capsys):
    summarised(str(tmp_path / "said.json"), {"command": "score"}, lambda: {"status": "scored"})
    told = json.loads((tmp_path / "said.json").read_text())
    assert (told["status"], told["exit_code"]) == ("scored", 0)
    assert told["ended"].endswith("+00:00")
    summarised("-", {}, lambda: {"status": "scored"})
    assert json.loads(capsys.readouterr().out)["status"] == "scored"
    summarised(None, {}, lambda: {"status": "scored"})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("error", "code"), [(LimitError("too old"), 4), (ValueError("odd"), 3)])
def test_the_summary_of_what_failed(tmp_path, error, code):
    def fail():
        raise error

    with pytest.raises(type(error), match=str(error)):
        summarised(str(tmp_path / "said.json"), {"command": "score", "source": "mine"}, fail)
    told = json.loads((tmp_path / "said.json").read_text())
    told.pop("ended")
    assert told == {
        "command": "score", "source": "mine", "status": "failed", "exit_code": code, "message": str(error),
    }  # fmt: skip
