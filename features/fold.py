"""The only code that joins on time: tables are read once and folded to account x period.

Every table's days are looked up in a calendar (day -> period, day of the period), and its rows are added up by account
and period inside the engine. Accounts with rows that were booked late are the exception: they are folded once a
cut-off, from the rows known by then. What is no sum is worked out from `Known`, the tables as known at each cut-off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.expr import operations as ops

from features.declaration import Additive, AsOf, Days, Distinct, Expression, Fact
from features.errors import ConfigurationError
from features.periods import Duration, Label, edge_index, periods_in_year
from features.tables import SQL_TYPES, TABLES, Table
from features.windows import SCALE, Grid, Ints, Panel

EPOCH = date(1970, 1, 1)
BITS = 62  # of an int64 that a shift can set without touching the sign
EXACT = 2**53  # whole numbers up to here survive the way through float64
ON_TIME = -1  # the cut-off number of rows that serve every cut-off


def connect(memory: str, spill: Path | None = None) -> Any:
    """An Ibis connection to an in-memory DuckDB that holds at most `memory` and spills to `spill` beyond it."""
    options = {"memory_limit": memory, "autoinstall_known_extensions": False}
    if spill is not None:
        options["temp_directory"] = str(spill)
    return ibis.duckdb.connect(**options)


def open_tables(connection: Any, folder: Path) -> dict[str, Expression]:
    """The contract tables that `folder` holds, as lazy Ibis tables.

    Raises ConfigurationError if there is no `orders.parquet`.
    """
    if not (folder / "orders.parquet").exists():
        raise ConfigurationError(f"{folder} has no orders.parquet. Run `holdfast ingest` for this source first.")
    names = [name for name in TABLES if (folder / f"{name}.parquet").exists()]
    return {name: connection.read_parquet(str(folder / f"{name}.parquet"), table_name=f"raw_{name}") for name in names}


def columns_of(fact: Fact) -> dict[str, set[str]]:
    """Which columns of which tables a fact reads."""
    if isinstance(fact, AsOf):
        return {fact.table: set(fact.columns), **{name: set() for name in fact.also}}
    schema = {
        column.name: SQL_TYPES[column.kind].lower().replace("varchar", "string")
        for column in TABLES[fact.table].columns
    }
    table = ibis.table({name: _ibis_type(kind) for name, kind in schema.items()}, name=fact.table)
    used = {fact.at}
    for build in (getattr(fact, "value", None), fact.where):
        if build is not None:
            used |= {field.name for field in build(table).op().find(ops.Field)}
    if isinstance(fact, Distinct):
        used.add(fact.item)
    return {fact.table: used}


def _ibis_type(sql: str) -> str:
    return {"bigint": "int64", "boolean": "boolean"}.get(sql, sql)


@dataclass(frozen=True)
class Cutoffs:
    """Cut-offs that share their edges, with the label they are for."""

    as_of: Sequence[date]
    period: Duration
    label: Label

    def grid(self, first: date) -> Grid:
        """Edges from the period that holds `first` to the one that holds the last day a label looks at."""
        anchor = self.as_of[0]
        last = max(max(self.label.end(day), day) for day in self.as_of)
        start = min(edge_index(first, self.period, anchor), 0)
        stop = edge_index(last, self.period, anchor) + 1
        edges = [self.period.after(anchor, step) for step in range(start, stop + 1)]
        at = [edge_index(day, self.period, anchor) - start for day in self.as_of]
        return Grid(np.array([day_number(day) for day in edges]), np.array(at), periods_in_year(self.period))


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


class Known:
    """The tables as they were known at each cut-off: what `AsOf` facts are worked out from."""

    def __init__(self, tables: Mapping[str, Expression], cutoffs: Expression, calendar: Expression) -> None:
        self._tables = tables
        self._cutoffs = cutoffs
        self._calendar = calendar

    def rows(self, name: str) -> Expression:
        """Rows x cut-offs known before as_of, with `cutoff` (number), `as_of` and `silent_from` (as_of - horizon).

        Columns that are filled in later than their row are null where that happened at or after as_of.
        """
        table = self._tables[name]
        declared = TABLES[name]
        columns = set(table.columns)
        rows = table.mutate(known_at_=known_at(table, declared)).join(
            self._cutoffs, [ibis._.known_at_ < self._cutoffs.as_of]
        )
        later = {
            column.name: ibis.cases((rows[column.known_on] < rows.as_of, rows[column.name]))
            for column in declared.columns
            if column.known_on and column.name in columns and column.known_on in columns
        }
        return rows.mutate(**later) if later else rows

    def last_orders(self) -> Expression:
        """(account_id, cutoff, last_on): the last day with an order known before each cut-off."""
        orders = self._tables["orders"]
        orders = orders.filter(~orders.is_return)
        monthly = (
            orders.mutate(day_=orders.ordered_at.cast("date"), known_=known_at(orders, TABLES["orders"]))
            .join(self._calendar.select(day_="day", event_period="period"), "day_")
            .join(self._calendar.select(known_="day", known_period="period"), "known_")
            .group_by(["account_id", "event_period", "known_period"])
            .agg(last_on=ibis._.day_.max())
        )
        return (
            monthly.join(
                self._cutoffs, [monthly.event_period < self._cutoffs.edge, monthly.known_period < self._cutoffs.edge]
            )
            .group_by(["account_id", "cutoff"])
            .agg(last_on=ibis._.last_on.max())
        )


def known_at(table: Expression, declared: Table) -> Expression:
    """The day from which a row counts: its event date, or the day it was recorded if later.

    A row without its event date counts from its first certain date, and always if it has none.
    """
    columns = set(table.columns)
    candidates = [declared.event] if declared.event in columns else []
    candidates += [
        c.name for c in declared.columns if c.kind in ("date", "time") and not c.nullable and c.name not in candidates
    ]
    happened = ibis.coalesce(
        *[table[name].cast("date") for name in candidates if name in columns], ibis.date("1900-01-01")
    )
    if "recorded_at" not in columns:
        return happened
    return ibis.greatest(happened, ibis.coalesce(table.recorded_at.cast("date"), happened))


class Fold:
    """The facts of all accounts for cut-offs that share their edges, held by the engine, read block by block.

    Attributes
    ----------
    grid : the edges of the periods and the cut-offs among them
    accounts : ids of all accounts that ever ordered, sorted; a block is a range of positions in it
    late : positions of accounts with rows booked late, to be read once a cut-off
    """

    def __init__(self, connection: Any, tables: Mapping[str, Expression], facts: Iterable[Fact], cutoffs: Cutoffs):
        self._connection = connection
        self._reading = Lock()
        self._facts = list(facts)
        self._cutoffs = cutoffs
        self._prefix = f"fold_{id(self)}_"
        self._tables = tables
        self.grid = cutoffs.grid(self._first_day())
        if int(np.diff(self.grid.edges).max()) > BITS:
            raise ConfigurationError(
                f"featurize.period {cutoffs.period} is longer than {BITS} days. Use 2 months or less."
            )
        self._calendar = self._store("calendar", self._calendar_table())
        self._cutoff_table = self._store("cutoffs", self._cutoff_rows())
        self._known = Known(tables, self._cutoff_table, self._calendar)
        orders = tables["orders"].select("account_id").distinct()
        self._codes = self._store("codes", orders.mutate(code=ibis.row_number().over(order_by="account_id")))
        self.accounts: list[str] = self._codes.order_by("code").account_id.to_pyarrow().to_pylist()
        self._late_by_table: dict[str, Expression] = {}
        self.late = self._find_late()
        self._stored: dict[tuple[str, str], Expression] = {}
        self._group_of: dict[str, tuple[str, str]] = {}
        self._fold_all()
        self._first_days = {name: self._first_known(name) for name in {fact.table for fact in self._facts}}

    def panel(self, low: int, high: int) -> Panel:
        """Facts of accounts low .. high - 1 for all cut-offs, from rows on time (late accounts are left empty)."""
        positions = np.arange(low, high)
        return self._panel(positions, None)

    def late_panel(self, positions: Ints, cutoff: int) -> tuple[Panel, Grid]:
        """Facts of the late accounts at `positions` (sorted) as known at one cut-off, and the grid of that one."""
        grid = Grid(self.grid.edges, self.grid.at[[cutoff]], self.grid.year)
        return self._panel(positions, cutoff), grid

    def late_label_days(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Next order days of accounts with orders booked on a later day, which the panels cannot tell for labels.

        A label may use what was booked until it matures, and nothing later. Returns the positions of these accounts
        and, as three equally long arrays, position, cut-off and day of their next order at or after the cut-off.
        """
        none = np.zeros(0, dtype=np.int64)
        orders = self._tables["orders"]
        if "recorded_at" not in orders.columns:
            return none, none, none, none
        rows = orders.filter(~orders.is_return)
        rows = rows.select("account_id", day_=rows.ordered_at.cast("date"), known_=known_at(rows, TABLES["orders"]))
        late = rows.filter(rows.known_ > rows.day_).select("account_id").distinct().join(self._codes, "account_id")
        following = (
            rows.join(late, "account_id")
            .join(
                self._cutoff_table,
                [ibis._.day_ >= self._cutoff_table.as_of, ibis._.known_ < self._cutoff_table.matures],
            )
            .group_by(["code", "cutoff"])
            .agg(day=ibis._.day_.min())
            .to_pyarrow()
        )
        days = following["day"].to_numpy().astype("datetime64[D]").astype(np.int64)
        affected = np.sort(late.code.to_pyarrow().to_numpy())
        return affected, following["code"].to_numpy(), following["cutoff"].to_numpy().astype(np.int64), days

    # -- building ------------------------------------------------------------------------------------------------

    def _store(self, name: str, what: Any) -> Expression:
        return self._connection.create_table(self._prefix + name, what, temp=True)

    def _first_day(self) -> date:
        """Earliest day on which a fact can fall."""
        firsts: list[date] = []
        for name, at in {(f.table, f.at) for f in self._facts if not isinstance(f, AsOf)} | {("orders", "ordered_at")}:
            first = self._tables[name][at].min().to_pyarrow().as_py()
            if first is not None:
                firsts.append(first if type(first) is date else first.date())
        if not firsts:
            raise ConfigurationError("orders has no rows. Check the extract, then run `holdfast ingest` again.")
        return min(*firsts, self._cutoffs.as_of[0]) if firsts else self._cutoffs.as_of[0]

    def _calendar_table(self) -> pa.Table:
        edges = self.grid.edges
        days = np.arange(edges[0], edges[-1])
        period = np.searchsorted(edges, days, side="right") - 1
        chunks = {
            f"chunk_{chunk}": np.where(period // BITS == chunk, np.int64(1) << (period % BITS), 0)
            for chunk in range(int(period[-1]) // BITS + 1)
        }
        return pa.table(
            {
                "day": pa.array(days.astype("datetime64[D]")),
                "period": pa.array(period.astype(np.int32)),
                "day_bit": pa.array(np.int64(1) << (days - edges[period])),
                **{name: pa.array(bits.astype(np.int64)) for name, bits in chunks.items()},
            }
        )

    def _cutoff_rows(self) -> pa.Table:
        as_of = list(self._cutoffs.as_of)
        horizon = self._cutoffs.label.horizon
        return pa.table(
            {
                "cutoff": pa.array(range(len(as_of)), pa.int32()),
                "edge": pa.array(self.grid.at.astype(np.int32)),
                "as_of": pa.array(as_of, pa.date32()),
                "silent_from": pa.array([horizon.before(day) for day in as_of], pa.date32()),
                "matures": pa.array([self._cutoffs.label.matures(day) for day in as_of], pa.date32()),
            }
        )

    def _groups(self) -> dict[tuple[str, str], list[Fact]]:
        groups: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in self._facts:
            if not isinstance(fact, AsOf):
                key = f"{fact.at}/{fact.item}/{fact.name}" if isinstance(fact, Distinct) else fact.at
                groups[fact.table, key].append(fact)
        return groups

    def _find_late(self) -> Ints:
        """Accounts with a row that became known in a later period than a fact of it falls in."""
        calendar = self._calendar
        positions: set[int] = set()
        for name in {fact.table for fact in self._facts if not isinstance(fact, AsOf)}:
            table, declared = self._tables[name], TABLES[name]
            ats = {fact.at for fact in self._facts if fact.table == name and not isinstance(fact, AsOf)}
            if "recorded_at" not in table.columns and ats == {declared.event}:
                continue
            found = None
            for at in sorted(ats):
                rows = table.select("account_id", at_=table[at].cast("date"), known_=known_at(table, declared))
                rows = rows.filter(rows.known_ > rows.at_)
                rows = rows.join(calendar.select(at_="day", at_period="period"), "at_").left_join(
                    calendar.select(known_="day", known_period="period"), "known_"
                )
                late = rows.filter(rows.known_period.isnull() | (rows.known_period > rows.at_period))
                late = late.select("account_id").distinct()
                found = late if found is None else found.union(late, distinct=True)
            stored = self._store(f"late_{name}", found)
            codes = stored.join(self._codes, "account_id").code.to_pyarrow().to_pylist()
            if codes:
                self._late_by_table[name] = stored
                positions |= set(codes)
        return np.array(sorted(positions), dtype=np.int64)

    def _fold_all(self) -> None:
        for (name, key), facts in self._groups().items():
            table = self._tables[name]
            late = self._late_by_table.get(name)
            on_time = table if late is None else table.anti_join(late, "account_id")
            folded = self._aggregate(on_time, facts, ["account_id"]).mutate(cutoff=ibis.literal(ON_TIME, "int32"))
            if late is not None:
                known = self._known.rows(name).semi_join(late, "account_id")
                again = self._aggregate(known, facts, ["account_id", "cutoff"])
                folded = folded.union(again.select(folded.columns))
            coded = folded.join(self._codes, "account_id").drop("account_id")
            self._stored[name, key] = self._store(f"{name}_{len(self._stored)}", coded)
            self._group_of.update({fact.name: (name, key) for fact in facts})
        for fact in self._facts:
            if isinstance(fact, AsOf):
                rows = fact.rows(self._known).select("account_id", "cutoff", "value")
                coded = rows.join(self._codes, "account_id").select("code", "cutoff", value=rows.value.cast("float64"))
                self._stored[fact.table, fact.name] = self._store(f"as_of_{fact.name}", coded)

    def _aggregate(self, table: Expression, facts: Sequence[Fact], keys: list[str]) -> Expression:
        """Rows added up by keys and period; of a `Distinct`, by keys and item with the periods as bits."""
        first = facts[0]
        assert not isinstance(first, AsOf)
        rows = table.join(self._calendar, table[first.at].cast("date") == self._calendar.day)
        if isinstance(first, Distinct):
            if first.where is not None:
                rows = rows.filter(first.where(rows))
            rows = rows.filter(rows[first.item].notnull())
            chunks = [name for name in self._calendar.columns if name.startswith("chunk_")]
            return (
                rows.group_by([*keys, first.item])
                .agg(**{chunk: rows[chunk].bit_or() for chunk in chunks})
                .drop(first.item)
            )
        sums: dict[str, Expression] = {}
        for fact in facts:
            where = None if fact.where is None else fact.where(rows)  # type: ignore[union-attr]
            if isinstance(fact, Days):
                sums[fact.name] = rows.day_bit.bit_or(where=where).fill_null(0)
            elif isinstance(fact, Additive) and fact.value is not None:
                sums[fact.name] = fact.value(rows).cast("decimal(18, 4)").sum(where=where).cast("float64")
            else:
                sums[fact.name] = rows.count(where=where).cast("float64")
        return rows.group_by([*keys, "period"]).agg(**sums)

    def _first_known(self, name: str) -> Ints:
        """(cut-offs,) the first event day among the rows known at each cut-off; a far day where there is none."""
        table, declared = self._tables[name], TABLES[name]
        if declared.event not in table.columns or name == "accounts":
            return np.full(len(self.grid.at), self.grid.edges[0])
        day = table[declared.event].cast("date")
        if "recorded_at" not in table.columns:
            first = day.min().to_pyarrow().as_py()
            return np.full(len(self.grid.at), day_number(first) if first else self.grid.edges[-1])
        known = table.select(day_=day, known_=known_at(table, declared))
        rows = (
            known.join(self._calendar.select(known_="day", period="period"), "known_")
            .group_by("period")
            .agg(first=ibis._.day_.min())
            .to_pyarrow()
        )
        firsts = np.full(len(self.grid.edges), self.grid.edges[-1])
        for period, first in zip(rows["period"].to_pylist(), rows["first"].to_pylist(), strict=True):
            firsts[period + 1] = day_number(first)
        return np.minimum.accumulate(firsts)[self.grid.at]

    # -- reading -------------------------------------------------------------------------------------------------

    def _panel(self, positions: Ints, cutoff: int | None) -> Panel:
        count, periods = len(positions), len(self.grid.edges) - 1
        panel = Panel(count, first_day=self._first_days)
        if cutoff is not None:
            panel.first_day = {name: days[[cutoff]] for name, days in self._first_days.items()}
        for (name, key), facts in self._groups().items():
            rows = self._read(self._stored[name, key], positions, [ON_TIME] if cutoff is None else [ON_TIME, cutoff])
            owner = np.searchsorted(positions, rows["code"])
            for fact in facts:
                if isinstance(fact, Distinct):
                    panel.items[fact.name] = _unpack(owner, rows, periods)
                    continue
                dense = np.zeros((count, periods), dtype=np.int64)
                values = rows[fact.name]
                dense[owner, rows["period"]] = values if isinstance(fact, Days) else _whole(values, fact.name)
                (panel.day_bits if isinstance(fact, Days) else panel.additive)[fact.name] = dense
        for fact in self._facts:
            if isinstance(fact, AsOf):
                width = len(self.grid.at) if cutoff is None else 1
                wanted = list(range(width)) if cutoff is None else [cutoff]
                rows = self._read(self._stored[fact.table, fact.name], positions, wanted)
                values = np.full((count, width), np.nan)
                values[np.searchsorted(positions, rows["code"]), rows["cutoff"] - wanted[0]] = rows["value"]
                panel.as_of[fact.name] = values
        return panel

    def _read(self, stored: Expression, positions: Ints, cutoffs: list[int]) -> dict[str, npt.NDArray[Any]]:
        rows = stored.filter(stored.code.between(int(positions[0]), int(positions[-1])), stored.cutoff.isin(cutoffs))
        with self._reading:  # blocks slide in parallel; the engine's connection serves one at a time
            table = rows.to_pyarrow()
        columns = {name: table[name].to_numpy() for name in table.column_names}
        if len(positions) != positions[-1] - positions[0] + 1:
            keep = np.isin(columns["code"], positions)
            columns = {name: values[keep] for name, values in columns.items()}
        return columns


def _whole(values: npt.NDArray[Any], name: str) -> Ints:
    scaled = np.nan_to_num(values.astype(np.float64), nan=0.0) * SCALE
    if len(scaled) and np.abs(scaled).max() > EXACT:
        raise ConfigurationError(
            f"The sums of {name} exceed {EXACT / SCALE:.0f} in one period, beyond what is added exactly. "
            "Use a larger unit (thousands) in the source's SQL."
        )
    return np.rint(scaled).astype(np.int64)


def _unpack(owner: Ints, rows: Mapping[str, npt.NDArray[Any]], periods: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    order = np.argsort(owner, kind="stable")
    chunks = sorted((name for name in rows if name.startswith("chunk_")), key=lambda name: int(name[6:]))
    seen = np.concatenate([_bits(rows[name][order]) for name in chunks], axis=1)
    return owner[order], seen[:, :periods]


def _bits(numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The lowest BITS bits of whole numbers, lowest first: (numbers, BITS)."""
    octets = np.ascontiguousarray(numbers, dtype="<i8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=BITS, bitorder="little").view(np.bool_)
