"""A disk that is full: one message, what was there before stays, and with room the next run succeeds."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from features.errors import HoldfastError
from pipeline import disk, featurize, report, score
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import Params, load
from tests.small_project import environment

SIZE = 64 << 20
STAGES: dict[str, Callable[[Layout, Params], object]] = {
    "ingest": lambda layout, params: ingest("contract", layout.root / "raw", layout.data, params.ingest, layout.root),
    "featurize": lambda layout, params: featurize.run(layout, params.featurize),
    "score": lambda layout, params: score.run(layout, params, score.Request(force=True)),
    "report": lambda layout, params: report.run(layout, params),
}


@pytest.fixture
def little(tmp_path) -> Iterator[Path]:
    """A disk of its own of SIZE bytes; skips where none can be mounted, fails there as root under CI."""
    folder = tmp_path / "little"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "holdfast-test", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        reason = f"a disk of its own cannot be mounted: {done.stderr.strip()}"
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(reason)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def project(small_project, little) -> Layout:
    """The small project with all its data and artifacts on the little disk, its raw files elsewhere."""
    root = little.parent / "project"
    root.mkdir()
    for name in ("sources", "params.yaml", "reasons.yaml"):
        (root / name).symlink_to(small_project / name)
    (root / "raw").symlink_to(small_project / "data" / "contract" / "raw")
    for name in ("data", "artifacts"):
        (little / name).mkdir()
        (root / name).symlink_to(little / name)
    shutil.copytree(small_project / "data/contract", root / "data/contract", ignore=shutil.ignore_patterns("raw"))
    shutil.copytree(small_project / "artifacts/contract", root / "artifacts/contract")
    return Layout(root, "contract")


def state(little: Path) -> dict[str, bytes]:
    """The bytes of all files, but for locks, and the folders."""
    found = [path for path in little.rglob("*") if path.suffix != ".lock" and path.name != "filler"]
    return {str(path.relative_to(little)): path.read_bytes() if path.is_file() else b"" for path in found}


def fill(little: Path, left: int) -> Path:
    """Fill the disk but for so many bytes."""
    filler = little / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
    os.truncate(filler, filler.stat().st_size - left)
    return filler


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_on_a_full_disk_changes_nothing_and_succeeds_with_room(project, little, stage):
    params = load(project.root, project.source)
    STAGES[stage](project, params)  # for the report, which tells what the scoring's code was, say
    before, failed = state(little), 0
    for left in (0, 40_000, 400_000, 800_000):  # the last holds the features of a scoring, and not its history
        filler = fill(little, left)
        told = None
        try:
            STAGES[stage](project, params)
        except Exception as error:
            failed, told = failed + 1, error
        filler.unlink()
        assert told is None or disk.is_full(told), repr(told)
        assert state(little) == before, left
        told = None
        gc.collect()  # what is cleaned up only now warns, which fails the test
    assert failed >= 2
    STAGES[stage](project, params)
    assert state(little) == before


def test_the_command_says_in_one_message_what_to_do(project, little):
    filler = fill(little, 30_000)
    command = [sys.executable, "-m", "pipeline.cli", "ingest", "--source", "contract", "--data", "raw"]
    asked = {"cwd": project.root, "env": environment(project.root), "capture_output": True, "text": True}
    done = subprocess.run(command, timeout=300, **asked)
    assert done.returncode == 3
    assert done.stderr.startswith("holdfast: The disk is full")
    assert "Make room there, or set TMPDIR to a folder on a larger disk, then run the command again" in done.stderr
    assert "Traceback" not in done.stderr
    filler.unlink()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
        duckdb.IOException('IO Error: Could not write file "a": No space left on device'),
        duckdb.OutOfMemoryException("failed to offload data block of size 256.0 KiB (0 bytes/0 bytes used). max_temp_directory_size"),
    ],
)  # fmt: skip
def test_a_full_disk_is_known_by_whatever_tells_it(error):
    told = ValueError("something else")
    told.__cause__ = error
    assert disk.is_full(error)
    assert disk.is_full(told)
    assert isinstance(disk.full(told), HoldfastError)
    assert disk.full(told).exit_code == 3


def test_another_error_is_no_full_disk():
    assert not disk.is_full(OSError(errno.EACCES, "Permission denied"))
    assert not disk.is_full(ValueError("no space in the name"))


def test_the_file_that_could_not_be_written_is_named(tmp_path):
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "scores.parquet"))
    assert f"{tmp_path / 'scores.parquet'} could not be written" in str(disk.full(error, tmp_path))
    assert f"MB in {tmp_path}" in str(disk.full(error, tmp_path))
