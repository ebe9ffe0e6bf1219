"""Files and folders that are there in whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_file(path: Path) -> Iterator[Path]:
    """A path beside `path`, to be written; it takes the place of `path` at the end, is gone if something was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def written(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, to be filled; it takes the place of `folder` at the end, if nothing was raised.

    What was there before stays until then, and is moved aside in one step before it is removed: a process that is killed
    meanwhile may leave no `folder`, never part of one. What it left beside is removed here.
    """
    temporary, old = (folder.with_name(f".{folder.name}.{name}") for name in ("writing", "old"))
    for left in (temporary, old):
        shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    replace(temporary, folder)


def replace(new: Path, folder: Path) -> None:
    """Put the folder `new` in the place of `folder`, on the same disk."""
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
