"""What a staging that was killed leaves is removed or brought back by the next; one at work is left alone."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from pipeline.staging import staging, swap
from tests.pipeline.killed import kill_at

FORK = multiprocessing.get_context("fork")
NAMES = ("tables", "quarantine")


def put(out: Path, word: str, number: int | None = None, said: Path | None = None) -> None:
    done = [] if number is None else kill_at(number)
    with staging(out, "ingest") as folder:
        for name in NAMES:
            (folder / name).mkdir()
            (folder / name / "orders").write_text(word)
        swap(folder, out, NAMES)
    steps = len(done)
    if said is not None:
        said.write_text(str(steps))


def state(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}


def in_a_process(*given: object) -> int:
    process = FORK.Process(target=put, args=given)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def test_killed_before_any_step_the_next_run_heals(tmp_path):
    said = tmp_path / "said"
    put(tmp_path / "whole" / "mine", "old")
    old = state(tmp_path / "whole" / "mine")
    assert in_a_process(tmp_path / "whole" / "mine", "new", 10_000, said) == 0
    new, steps = state(tmp_path / "whole" / "mine"), int(said.read_text())
    assert steps >= 8
    for number in range(steps):
        out = tmp_path / str(number) / "mine"
        put(out, "old")
        assert in_a_process(out, "new", number, said) == -9
        assert all(text in ("old", "new") for text in state(out).values())
        with staging(out, "ingest"):  # one that fails: nothing of before is lost
            kept = state(out)
        assert set(kept) == set(old), number
        put(out, "new")
        assert state(out) == new, number
        assert [path.name for path in out.parent.iterdir()] == ["mine"], number


def test_a_staging_at_work_is_left_alone(tmp_path):
    out = tmp_path / "mine"
    with staging(out, "ingest") as one:
        (one / "file").write_text("at work")
        with staging(out, "ingest") as other:
            assert one != other
            assert (one / "file").read_text() == "at work"
        assert os.listdir(tmp_path) == [one.name]
    assert os.listdir(tmp_path) == []
