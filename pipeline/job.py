"""What makes a stage a job: one at a time, a place of its own for what is temporary, one summary however it ends."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from features.errors import ConfigurationError, HoldfastError
from pipeline.frames import write_text


@contextmanager
def alone(artifacts: Path, what: str) -> Iterator[None]:
    """Hold the lock of `what` in the folder `artifacts`, so that no second process does it.

    The system lets go of it when the process ends, be it killed. Raises ConfigurationError with who holds it, since when.
    """
    artifacts.mkdir(parents=True, exist_ok=True)
    holder = artifacts / f".{what}.holder.json"  # apart from the lock file, which whoever tries to lock empties
    lock = FileLock(artifacts / f".{what}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigurationError(
            f"Another {what} writes to {artifacts}: {_held_by(holder)}. Nothing was done. Wait until it ends, or stop it; "
            "its lock goes with it."
        ) from None
    try:
        told = {"process": os.getpid(), "host": socket.gethostname(), "since": now()}
        write_text(json.dumps(told) + "\n", holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def scratch(folder: Path) -> Iterator[None]:
    """Make everything temporary in this process in `folder`, which is emptied before and removed after.

    A process that is killed leaves there what it held; the next one removes it. To be used by whoever holds the lock.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder.resolve())
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def summarised(where: str | None, told: Mapping[str, Any], work: Callable[[], Mapping[str, Any]]) -> None:
    """Do the `work` and write what a scheduler reads: what it returns and "exit_code", or, if it fails, `told`, "status"
    "failed", "exit_code" and "message"; to standard output for "-", else into a file, whole or not at all."""
    try:
        summary = {**work(), "exit_code": 0}
    except Exception as error:
        code = error.exit_code if isinstance(error, HoldfastError) else HoldfastError.exit_code
        with suppress(OSError):  # on a full disk, say, what went wrong is more than that this cannot be told
            _write_summary({**told, "status": "failed", "exit_code": code, "message": str(error)}, where)
        raise
    _write_summary(summary, where)


def _write_summary(summary: Mapping[str, Any], where: str | None) -> None:
    text = json.dumps({"ended": now(), **summary}, indent=1, default=str) + "\n"
    if where == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif where is not None:
        write_text(text, Path(where))


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _held_by(holder: Path) -> str:
    try:
        told = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {told['process']} on {told['host']}, since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has just begun"
