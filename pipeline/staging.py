"""Output that is there in whole or not at all, and the DuckDB database within it that makes it."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

from features.errors import ConfigurationError
from pipeline import disk

OLD = "old-"  # what a swap moves aside


@contextmanager
def staging(out: Path, stage: str) -> Iterator[Path]:
    """A folder beside `out`, on the same disk, that is gone afterwards.

    What a process that was killed has left of its own is removed first; what it had moved aside comes back. Raises
    ConfigurationError if the folder cannot be made.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with closing(_held(out.parent, wait=True)):
            _heal(out, stage)
            folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.{stage}-", dir=out.parent))
            alive = _held(folder)
    except OSError as error:
        if disk.is_full(error):
            raise
        raise ConfigurationError(f"{out.parent} cannot be written: {error.strerror}. Name another folder.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        alive.close()


class _Held:
    """A lock on a folder, which the system lets go of when the process ends, be it killed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def _held(folder: Path, wait: bool = False) -> _Held:
    """Raises BlockingIOError where another process holds the folder, unless `wait`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        raise
    return _Held(descriptor)


def _heal(out: Path, stage: str) -> None:
    for left in sorted(out.parent.glob(f".{glob.escape(out.name)}.{stage}-*")):
        try:
            alive = _held(left)
        except BlockingIOError:
            continue  # of one that is at work
        for old in left.glob(f"{OLD}*"):
            if not os.path.lexists(place := out / old.name.removeprefix(OLD)):
                old.rename(place)
        shutil.rmtree(left, ignore_errors=True)
        alive.close()


def swap(folder: Path, out: Path, names: Sequence[str]) -> None:
    """Put what `folder` holds under `names` in the place of what `out` has; all back again if one cannot be moved.

    Raises ConfigurationError if one cannot be moved.
    """
    out.mkdir(exist_ok=True)
    done: list[tuple[Path, Path]] = []
    try:
        for name in names:
            if os.path.lexists(out / name):
                (out / name).rename(folder / f"{OLD}{name}")
                done.append((folder / f"{OLD}{name}", out / name))
            (folder / name).rename(out / name)
            done.append((out / name, folder / name))
    except OSError as error:
        for now, before in reversed(done):
            now.rename(before)
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}. Nothing was changed there.") from None


@contextmanager
def database(folder: Path, memory: str) -> Iterator[Backend]:
    """A DuckDB database of at most `memory` within the staging folder, so that a table may be larger than memory."""
    spill = folder / "spill"
    spill.mkdir()
    con = ibis.duckdb.connect(
        folder / "stage.duckdb",
        memory_limit=memory,
        temp_directory=str(spill),
        autoinstall_known_extensions=False,
    )
    try:
        yield con
    finally:
        con.disconnect()
