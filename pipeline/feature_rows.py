"""Features of all accounts at a few cut-offs, kept on disk: a scoring reads them block by block, or of some accounts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.errors import ConfigurationError
from features.matrix import Plan, build, features_of, schema_of
from features.versions import require
from pipeline.frames import known_until
from pipeline.layout import Layout
from pipeline.params import Featurize
from pipeline.tables import engine

NONE: Mapping[str, str] = {}
Finish = Callable[[date, pa.Table], pa.Table]
COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class FeatureRows:
    """The rows of each cut-off in a file of its own in `folder`: record batches of a block of accounts each, by account.

    `as_of`: the cut-off that is scored, the others lie before it. Files are read and not mapped, so that what was read
    before takes no memory. `schema`: of the features; blocks may hold more columns.
    """

    folder: Path
    schema: pa.Schema
    as_of: date

    def blocks(self, day: date) -> Iterator[pa.Table]:
        """The rows of a cut-off, a block of accounts at a time."""
        path = self.folder / f"{day}.arrow"
        if not path.exists():
            return
        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(number)])

    def count(self, day: date) -> int:
        """How many blocks a cut-off has."""
        path = self.folder / f"{day}.arrow"
        if not path.exists():
            return 0
        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
            return int(reader.num_record_batches)

    def parts(self, day: date, accounts: Sequence[str]) -> Iterator[pd.DataFrame]:
        """The rows of these accounts at a cut-off: an empty frame, so that there is one always, and one for each block."""
        yield self.schema.empty_table().to_pandas()
        wanted = sorted(accounts)
        for part in self.blocks(day):
            yield _of(part.select(self.schema.names), wanted).to_pandas()

    def read(self, day: date, accounts: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of a cut-off, of these accounts only where given, by account."""
        wanted = None if accounts is None else sorted(accounts)
        parts = [_of(part.select(self.schema.names), wanted) for part in self.blocks(day)]
        frame: pd.DataFrame = pa.concat_tables([self.schema.empty_table(), *parts]).to_pandas()
        return frame


def keep(parts: Iterable[pa.Table], folder: Path, schema: pa.Schema, as_of: date) -> FeatureRows:
    """Write the parts of a matrix, each ordered by cut-off and account, into `folder` by cut-off."""
    with ExitStack() as stack:
        writers: dict[date, Any] = {}
        for part in parts:
            days = part["as_of"].to_numpy()
            edges = np.flatnonzero(np.r_[True, days[1:] != days[:-1], True]) if len(days) else np.zeros(1, np.int64)
            for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
                day: date = days[start].astype(object)
                if day not in writers:
                    file = pa.ipc.new_file(str(folder / f"{day}.arrow"), part.schema, options=COMPRESSED)
                    writers[day] = stack.enter_context(file)
                writers[day].write_table(part.slice(start, stop - start).combine_chunks())
    return FeatureRows(folder, schema, as_of)


@contextmanager
def feature_rows(
    layout: Layout,
    as_of: date | None,
    plan: Plan,
    params: Featurize,
    names: Sequence[str],
    backs: Sequence[int] = (0,),
    versions: Mapping[str, str] = NONE,
    finish: Finish | None = None,
) -> Iterator[FeatureRows]:
    """Features, by name, of the accounts eligible at `as_of` (None: the day after the last order) and at the cut-offs
    so many periods before it; they are there while the context lasts.

    `backs` holds 0, the as_of itself; `versions`: of the features' definitions, as a model learned from them;
    `finish`, given the as_of, may add columns to a block where the engine works, for `FeatureRows.blocks`. Raises ConfigurationError if nobody is eligible then, ContractError if the tables do not show the features so.
    """
    with TemporaryDirectory(prefix="holdfast-") as name:
        with engine(layout, params) as (connection, tables):
            shown = {feature.name: feature for feature in features_of(tables)}
            require(names, versions, list(shown.values()))
            until = known_until(tables)
            day = until if as_of is None else as_of
            cutoffs = [plan.period.before(day, back) for back in backs]
            chosen = [shown[name] for name in names]
            added = None if finish is None else partial(finish, day)
            with closing(build(connection, tables, cutoffs, plan, until, chosen, finish=added)) as parts:
                rows = keep(parts, Path(name), schema_of(chosen, plan.steps, plan.beside), day)
        if next(rows.blocks(day), None) is None:
            raise ConfigurationError(
                f"Nobody is eligible at {day}: no account ordered in the {plan.label.eligible} before it. "
                f"Orders end on {until - timedelta(days=1)}; choose --as-of accordingly."
            )
        yield rows


def features_at(
    layout: Layout, as_of: date | None, plan: Plan, params: Featurize, names: Sequence[str]
) -> pd.DataFrame:
    """The features at `as_of` as one frame, by account; raises as `feature_rows` does."""
    with feature_rows(layout, as_of, plan, params, names) as rows:
        return rows.read(rows.as_of)


def _of(part: pa.Table, wanted: Sequence[str] | None) -> pa.Table:
    """The rows of these accounts, given in order as the rows are."""
    if wanted is None or not len(part):
        return part
    column = part["account_id"]
    low, high = bisect_left(wanted, column[0].as_py()), bisect_right(wanted, column[-1].as_py())
    return part.filter(pa.compute.is_in(column, pa.array(wanted[low:high], pa.string())))
