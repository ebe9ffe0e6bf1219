"""A full disk: known by whatever library meets it, and told in one message."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from features.errors import HoldfastError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WORDS = (  # of DuckDB, Arrow, SQLite and C libraries, where the number of the error is lost
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "disk is full",
    "max_temp_directory_size",
)


class DiskFullError(HoldfastError):
    """Nothing more can be written; what was there before is as it was."""


def is_full(error: BaseException | None) -> bool:
    """Whether the error, or one that it was raised from or in the handling of, says that the disk is full."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if getattr(error, "errno", None) in FULL or any(word in str(error).lower() for word in WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def full(error: BaseException, *folders: Path) -> DiskFullError:
    """The error to raise: it names what was being written where that is known, and what is free where."""
    named = getattr(error, "filename", None)
    what = f"{named} could not be written" if named else "it could not all be written"
    places = dict.fromkeys([*folders, Path.cwd(), Path(tempfile.gettempdir())])
    free = ", ".join(f"{shutil.disk_usage(place).free / 1e6:,.1f} MB in {place}" for place in places if place.is_dir())
    return DiskFullError(
        f"The disk is full: {what}. Results of before are as they were, and nothing half-written stands in their place. "
        f"Free now: {free}. Make room there, or set TMPDIR to a folder on a larger disk, then run the command again."
    )
