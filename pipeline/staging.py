"""Output that is there in whole or not at all, and the DuckDB database within it that makes it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import ibis
from ibis.backends.duckdb import Backend

from features.errors import ConfigurationError
from pipeline import csv_files


@contextmanager
def staging(out: Path, stage: str) -> Iterator[Path]:
    """A folder beside `out`, on the same disk, that is gone afterwards.

    Raises ConfigurationError if it cannot be made.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.{stage}-", dir=out.parent))
    except OSError as error:
        raise ConfigurationError(f"{out.parent} cannot be written: {error.strerror}. Name another folder.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def swap(folder: Path, out: Path, names: Sequence[str]) -> None:
    """Put what `folder` holds under `names` in the place of what `out` has; all back again if one cannot be moved.

    Raises ConfigurationError if one cannot be moved.
    """
    out.mkdir(exist_ok=True)
    done: list[tuple[Path, Path]] = []
    try:
        for name in names:
            if os.path.lexists(out / name):
                (out / name).rename(folder / f"old-{name}")
                done.append((folder / f"old-{name}", out / name))
            (folder / name).rename(out / name)
            done.append((out / name, folder / name))
    except OSError as error:
        for now, before in reversed(done):
            now.rename(before)
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}. Nothing was changed there.") from None


@contextmanager
def database(folder: Path, memory: str) -> Iterator[Backend]:
    """A DuckDB database within the staging folder, so that a table may be larger than memory.

    Raises ConfigurationError if `memory`, ingest.memory of params.yaml, is no size.
    """
    spill = folder / "spill"
    spill.mkdir()
    try:
        con = ibis.duckdb.connect(
            folder / "stage.duckdb",
            memory_limit=memory,
            temp_directory=str(spill),
            autoinstall_known_extensions=False,
        )
    except duckdb.Error as error:
        raise ConfigurationError(
            f"ingest.memory {memory!r} is not usable: {csv_files.first(error)} Write for example 2GB in params.yaml."
        ) from None
    try:
        yield con
    finally:
        con.disconnect()
