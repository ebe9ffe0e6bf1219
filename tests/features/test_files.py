"""Files and folders are there in whole or not at all, wherever the process that writes them is killed."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from features.files import written, written_file
from tests.pipeline.killed import kill_at

FORK = multiprocessing.get_context("fork")


def put(target: Path, word: str, number: int | None = None, said: Path | None = None) -> None:
    """Write a folder, or a file where the name has an ending, killed before the step of that number."""
    done = [] if number is None else kill_at(number)
    if target.suffix:
        with written_file(target) as temporary:
            temporary.write_text(word)
    else:
        with written(target) as folder:
            (folder / "inner").mkdir()
            for name in ("a", "inner/b"):
                (folder / name).write_text(word)
    steps = len(done)
    if said is not None:
        said.write_text(str(steps))


def in_a_process(*given: object) -> int:
    process = FORK.Process(target=put, args=given)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def state(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "least"), [("matrix", 5), ("scores.parquet", 1)])
def test_killed_before_any_step_the_next_run_leaves_what_an_undisturbed_one_does(tmp_path, name, least):
    whole = tmp_path / "whole"
    whole.mkdir()
    put(whole / name, "old")
    old, said = state(whole), tmp_path / "said"
    assert in_a_process(whole / name, "new", 10_000, said) == 0
    new, steps = state(whole), int(said.read_text())
    assert steps >= least
    for number in range(steps):
        folder = tmp_path / str(number)
        folder.mkdir()
        put(folder / name, "old")
        assert in_a_process(folder / name, "new", number, said) == -9
        left = {path: text for path, text in state(folder).items() if not path.startswith(".")}
        assert left in (old, new, {}), number  # never part of one, nor some of both
        put(folder / name, "new")
        assert state(folder) == new, number
        assert [path.name for path in folder.iterdir()] == [name], number


def fail(target: Path) -> None:
    with (written_file if target.suffix else written)(target) as temporary:
        (temporary if target.suffix else temporary / "a").write_text("half")
        raise OSError("the disk is gone")


@pytest.mark.parametrize("name", ["matrix", "scores.parquet"])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, name):
    put(tmp_path / name, "old")
    before = state(tmp_path)
    with pytest.raises(OSError, match="gone"):
        fail(tmp_path / name)
    assert state(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [name]
