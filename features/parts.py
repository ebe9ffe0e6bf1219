"""The parts of a matrix, one a block of accounts: worked on in threads of this process, waiting in memory or on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

import pyarrow as pa

Item = TypeVar("Item")
Result = TypeVar("Result")
Change = Callable[[pa.Table], pa.Table]
HELD = 1 << 30  # bytes of parts that wait in memory
THREADS = 2  # NumPy lets go of the interpreter's lock; more blocks at a time would only need more memory


class Parts(Protocol):
    """Tables, one a block of accounts in their order, wherever they are worked out."""

    def __iter__(self) -> Iterator[pa.Table]:
        """One after the other, here."""

    def map(self, change: Change) -> Parts:
        """Each changed, where it is."""

    def gather(self, change: Change) -> list[pa.Table]:
        """What `change` makes of each, all of it here: for what is small."""

    def kept(self) -> AbstractContextManager[Parts]:
        """The same, to be gone through several times."""

    def released(self) -> Parts:
        """The same for a last time: memory is let go of as they are taken."""


class LocalParts:
    """Parts of this process. Unless `kept`, they can be gone through once."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables = tables

    def __iter__(self) -> Iterator[pa.Table]:
        return iter(self._tables)

    def map(self, change: Change) -> LocalParts:
        return LocalParts(map(change, self._tables))

    def gather(self, change: Change) -> list[pa.Table]:
        return [change(table) for table in self._tables]

    def released(self) -> LocalParts:
        tables, self._tables = deque(self._tables), ()
        return LocalParts(tables.popleft() for _ in range(len(tables)))

    @contextmanager
    def kept(self) -> Iterator[LocalParts]:
        """In memory up to HELD bytes, on disk beyond."""
        with TemporaryDirectory(prefix="holdfast-parts-") as folder:
            yield LocalParts(list(_held(self._tables, Path(folder))))


def _held(tables: Iterable[pa.Table], folder: Path) -> Iterator[pa.Table]:
    held = 0
    for number, table in enumerate(tables):
        if held + table.nbytes <= HELD:
            held += table.nbytes
            yield table
            continue
        path = str(folder / f"{number}.arrow")
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
        yield pa.ipc.open_file(pa.memory_map(path)).read_all()


def ahead(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Like `pool.map`, but no more than THREADS results wait to be taken, so that memory stays bounded."""
    running: deque[Future[Result]] = deque()
    for item in items:
        running.append(pool.submit(work, item))
        if len(running) > THREADS:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()
