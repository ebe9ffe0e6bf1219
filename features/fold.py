"""The only code, with `known.py`, that joins on time: tables are read once and folded to account x period.

Every table's days are looked up in a calendar (day -> period, day of the period), and its rows are added up inside the
engine by account, period and, where they were booked in a later period than they happened in, by that one too. What is
no sum is worked out from `Known`, the tables as known at each cut-off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Self

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.expr import operations as ops
from ibis.util import gen_name

from features.declaration import (
    Additive,
    Array,
    AsOf,
    Days,
    Distinct,
    Expression,
    Fact,
    Folded,
    ItemValue,
    Latest,
    Reach,
    Shared,
)
from features.errors import ConfigurationError
from features.known import Known, known_at
from features.periods import Duration, Label, edge_index, periods_in_year
from features.tables import SQL_TYPES, TABLES
from features.windows import BITS, COMPANY, NEVER, NO_LATE, SCALE, Cells, Grid, Ints, Items, Late, Panel, unpack_bits

EPOCH = date(1970, 1, 1)
# Whole numbers of 1/SCALE up to here survive the way through float64: beyond, value and product may round to a neighbour.
EXACT = 2**51
ON_TIME = -1  # stands for the period in which a row became known where that is the one it belongs to
REGION = "region"


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
        needs = {fact.table: set(fact.columns), **{name: set(columns) for name, columns in fact.also.items()}}
        return needs | _region_columns(fact.by)
    if isinstance(fact, Shared):
        return columns_of(fact.of) | _region_columns(fact.by)
    if isinstance(fact, ItemValue):
        return columns_of(fact.of) | {fact.table: {fact.of.item, fact.column}}
    if isinstance(fact, Reach):
        return {fact.table: {TABLES[fact.table].event}}
    schema = {
        column.name: SQL_TYPES[column.kind].lower().replace("varchar", "string")
        for column in TABLES[fact.table].columns
    }
    table = ibis.table({name: _ibis_type(kind) for name, kind in schema.items()}, name=fact.table)
    used = {"account_id", fact.at}
    for build in (getattr(fact, "value", None), fact.where):
        if build is not None:
            used |= {field.name for field in build(table).op().find(ops.Field)}
    if isinstance(fact, Distinct):
        used.add(fact.item)
    return {fact.table: used}


def _region_columns(by: str) -> dict[str, set[str]]:
    return {"accounts": {"account_id", REGION}} if by == REGION else {}


def _ibis_type(sql: str) -> str:
    return {"bigint": "int64", "boolean": "boolean"}.get(sql, sql)


@dataclass(frozen=True)
class Cutoffs:
    """Cut-offs that share their edges, with the label they are for and the `steps` periods after them looked at each."""

    as_of: Sequence[date]
    period: Duration
    label: Label
    steps: int = 0

    def ends(self) -> list[list[date]]:
        """For each horizon, the label's first and then 1 .. `steps` periods, the first day after it of every cut-off."""
        steps = [[self.period.after(day, step) for day in self.as_of] for step in range(1, self.steps + 1)]
        return [[self.label.end(day) for day in self.as_of], *steps]

    def matures(self) -> list[list[date]]:
        """As `ends`, the first day on which it is known who ordered in the horizon."""
        return [[self.label.booking_lag.after(day) for day in ends] for ends in self.ends()]

    def grid(self, first: date) -> Grid:
        """Edges from the period that holds `first` to the one that holds the last day a label looks at."""
        anchor = self.as_of[0]
        last = max(*self.as_of, *(day for ends in self.ends() for day in ends))
        start = min(edge_index(first, self.period, anchor), 0)
        stop = edge_index(last, self.period, anchor) + 1
        edges = [self.period.after(anchor, step) for step in range(start, stop + 1)]
        at = [edge_index(day, self.period, anchor) - start for day in self.as_of]
        return Grid(np.array([day_number(day) for day in edges]), np.array(at), periods_in_year(self.period))


@dataclass(frozen=True)
class LateOrders:
    """Next orders at or after the cut-offs of accounts that had any order booked on a later day than its own.

    `accounts`: positions of these accounts, ascending. `position`, `cutoff`: (rows,), one for each of them and cut-off
    with a next order. `day`: (horizons, rows) its day number among the orders booked before the horizon's label
    matures, NEVER where there is none; horizons as in `Cutoffs.ends`.
    """

    accounts: Ints
    position: Ints
    cutoff: Ints
    day: Ints

    @classmethod
    def none(cls, horizons: int) -> LateOrders:
        """No order was booked late."""
        rows = np.zeros(0, dtype=np.int64)
        return cls(rows, rows, rows, np.zeros((horizons, 0), dtype=np.int64))


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


class Fold:
    """The facts of all accounts for cut-offs that share their edges, held by the engine, read block by block.

    Attributes
    ----------
    cutoffs : the cut-offs, as given
    grid : the edges of the periods and the cut-offs among them
    accounts : ids of all accounts that ever ordered, sorted; a block is a range of positions in it
    """

    def __init__(self, connection: Any, tables: Mapping[str, Expression], facts: Iterable[Fact], cutoffs: Cutoffs):
        self._connection = connection
        self._reading = Lock()
        self._facts = facts = list(facts)
        self.cutoffs = cutoffs
        self._prefix = gen_name("fold") + "_"
        self._created: list[str] = []
        self._tables = tables
        self.grid = cutoffs.grid(self._first_day())
        if int(np.diff(self.grid.edges).max()) > BITS:
            raise ConfigurationError(
                f"featurize.period {cutoffs.period} is longer than {BITS} days. Use 2 months or less."
            )
        self._calendar = self._put("calendar", self._calendar_table())
        self._cutoff_table = self._put("cutoffs", self._cutoff_rows())
        self._known = Known(tables, self._cutoff_table, self._calendar, self.grid.year)
        self._folded: dict[tuple[str, str], tuple[Expression, list[Folded]]] = {}
        self._items: dict[str, tuple[Expression, Expression | None, list[ItemValue]]] = {}
        self._as_of: list[tuple[AsOf, Expression]] = []
        self._sums: list[tuple[Shared, Expression]] = []
        # The engine works on one table while the next one's SQL is written: writing takes a third as long as working.
        with ThreadPoolExecutor(1) as worker:
            self._worker, self._working = worker, list[Future[Any]]()
            orders = tables["orders"].select("account_id").distinct()
            self._codes = self._store("codes", orders.mutate(code=ibis.row_number().over(order_by="account_id")))
            self._regions, self._region_codes = self._number_regions()
            self._fold_all()
            for done in self._working:
                done.result()
        self.accounts: list[str] = self._query(self._codes.order_by("code"))["account_id"].to_pylist()
        self._first_days = {fact.table: self._first_known(fact.table) for fact in facts if isinstance(fact, Reach)}
        self._whole = self._groups_panel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Drop what the engine holds for this fold."""
        for name in self._created:
            self._connection.drop_table(name, force=True)

    def panel(self, low: int, high: int) -> Panel:
        """Facts of accounts low .. high - 1."""
        count, periods = high - low, len(self.grid.edges) - 1
        panel = Panel(count, first_day=self._first_days)
        panel.additive.update(self._whole.additive)
        panel.as_of.update(self._whole.as_of)
        if REGION in self._whole.groups:
            panel.groups[REGION] = self._whole.groups[REGION][low:high]
        for stored, facts in self._folded.values():
            rows = self._read(stored, low, high)
            place = _Place(rows, count, periods)
            for fact in facts:
                if isinstance(fact, Additive):
                    panel.additive[fact.name] = place.cells(_whole(rows[fact.name], fact.name))
                elif isinstance(fact, Days):
                    panel.day_bits[fact.name] = place.cells(rows[fact.name].astype(np.int64))
                else:
                    panel.latest[fact.name] = place.latest(rows[fact.name].astype(np.int64))
        for name, (stored, late, values) in self._items.items():
            panel.items[name] = self._read_items(stored, late, values, low, high)
        for as_of, stored in self._as_of:
            if as_of.by == "account":
                rows = self._read(stored, low, high)
                panel.as_of[as_of.name] = found = np.full((count, len(self.grid.at)), np.nan)
                found[rows["code"], rows["cutoff"]] = rows["value"]
        return panel

    def late_orders(self) -> LateOrders:
        """Next order days of accounts with orders booked on a later day, which the panels cannot tell for labels.

        A label may use what was booked until it matures, and nothing later; so may the label of each step.
        """
        orders, horizons = self._tables["orders"], range(len(self.cutoffs.ends()))
        if "recorded_at" not in orders.columns:
            return LateOrders.none(len(horizons))
        rows = orders.filter(~orders.is_return)
        rows = rows.select("account_id", day_=rows.ordered_at.cast("date"), known_=known_at(rows, TABLES["orders"]))
        late = rows.filter(rows.known_ > rows.day_).select("account_id").distinct().join(self._codes, "account_id")
        cutoffs = self._cutoff_table
        latest = ibis.greatest(*[cutoffs[f"matures_{number}"] for number in horizons])
        rows = rows.join(late, "account_id").join(cutoffs, [ibis._.day_ >= cutoffs.as_of, ibis._.known_ < latest])
        days = {f"day_{number}": rows.day_.min(where=rows.known_ < rows[f"matures_{number}"]) for number in horizons}
        found = self._query(rows.group_by(["code", "cutoff"]).agg(**days))
        # NaT, where nothing was booked in time, is the least of all numbers
        numbers = [found[name].to_numpy().astype("datetime64[D]").astype(np.int64) for name in days]
        return LateOrders(
            np.sort(self._query(late.select("code"))["code"].to_numpy()),
            found["code"].to_numpy(),
            found["cutoff"].to_numpy().astype(np.int64),
            np.array([np.where(day < 0, NEVER, day) for day in numbers]),
        )

    def outcomes(self, dates: pa.Table, rows: Callable[[Expression, Expression], Expression]) -> Array:
        """(accounts, cut-offs): what `rows`, given the orders and the table `dates` of cut-offs, says happened.

        It returns (account_id, cutoff, value), at most one row for an account and cut-off; NaN where it has none.
        """
        cutoffs = self._put(f"dates_{len(self._created)}", dates)
        found = self._query(self._coded(rows(self._tables["orders"], cutoffs)).filter(ibis._.value.notnull()))
        values = np.full((len(self.accounts), len(self.grid.at)), np.nan)
        values[found["code"].to_numpy(), found["cutoff"].to_numpy()] = found["value"].to_numpy()
        return values

    # -- building ------------------------------------------------------------------------------------------------

    def _new(self, name: str) -> str:
        """The name of a temporary table of this fold's own, to be dropped with it."""
        self._created.append(self._prefix + name)
        return self._created[-1]

    def _put(self, name: str, rows: pa.Table) -> Expression:
        """Hand the rows to the engine."""
        return self._connection.create_table(self._new(name), rows, temp=True)

    def _store(self, name: str, what: Expression) -> Expression:
        """Have the engine keep the table `what`; it is there once all work is done."""
        name = self._new(name)
        sql = f'CREATE TEMP TABLE "{name}" AS {self._connection.compile(what)}'
        self._working.append(self._worker.submit(self._connection.raw_sql, sql))
        return ibis.table(what.schema(), name=name)

    def _query(self, what: Expression) -> pa.Table:
        return self._connection.to_pyarrow(what)

    def _first_day(self) -> date:
        """Earliest day on which a fact can fall."""
        firsts: list[date] = []
        folded = {(f.table, f.at) for f in self._facts if isinstance(f, (Additive, Days, Latest, Distinct))}
        for name, at in folded | {("orders", "ordered_at")}:
            first = self._tables[name][at].min().to_pyarrow().as_py()
            if first is not None:
                firsts.append(first if type(first) is date else first.date())
        if not firsts:
            raise ConfigurationError("orders has no rows. Check the extract, then run `holdfast ingest` again.")
        return min(*firsts, self.cutoffs.as_of[0])

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
                "day_number": pa.array(days),
                "day_bit": pa.array(np.int64(1) << (days - edges[period])),
                **{name: pa.array(bits.astype(np.int64)) for name, bits in chunks.items()},
            }
        )

    def _cutoff_rows(self) -> pa.Table:
        as_of = list(self.cutoffs.as_of)
        horizon = self.cutoffs.label.horizon
        return pa.table(
            {
                "cutoff": pa.array(range(len(as_of)), pa.int32()),
                "edge": pa.array(self.grid.at.astype(np.int32)),
                "as_of": pa.array(as_of, pa.date32()),
                "silent_from": pa.array([horizon.before(day) for day in as_of], pa.date32()),
                **{
                    f"matures_{number}": pa.array(days, pa.date32())
                    for number, days in enumerate(self.cutoffs.matures())
                },
            }
        )

    def _number_regions(self) -> tuple[Expression, Expression]:
        """(region, number) of the regions, and (code, number) of the accounts that have one; nothing if nobody asks."""
        if not any(isinstance(fact, (Shared, AsOf)) and fact.by == REGION for fact in self._facts):
            return None, None
        regions = self._known.regions()
        numbers = regions.select(REGION).distinct().mutate(number=ibis.row_number().over(order_by=REGION))
        stored = self._store("regions", numbers)
        codes = self._codes.join(regions, "account_id").join(stored, REGION).select("code", "number")
        return stored, self._store("region_codes", codes)

    def _fold_all(self) -> None:
        groups: dict[tuple[str, str], list[Folded]] = defaultdict(list)
        for fact in self._facts:
            if isinstance(fact, (Additive, Days, Latest)):
                groups[fact.table, fact.at].append(fact)
        for (name, at), facts in groups.items():
            stored = self._store(f"{name}_{at}", self._coded(self._add_up(name, at, facts)))
            self._folded[name, at] = (stored, facts)
        for fact in self._facts:
            if isinstance(fact, Distinct):
                values = [item for item in self._facts if isinstance(item, ItemValue) and item.of == fact]
                self._items[fact.name] = (*self._fold_items(fact, values), values)
            elif isinstance(fact, AsOf):
                self._as_of.append((fact, self._store(f"as_of_{fact.name}", self._work_out(fact))))
            elif isinstance(fact, Shared):
                self._sums.append((fact, self._store(f"sum_{fact.name}", self._sum_up(fact))))

    def _coded(self, table: Expression) -> Expression:
        return table.join(self._codes, "account_id").drop("account_id")

    def _dated(self, name: str, at: str) -> tuple[Expression, bool]:
        """Rows with `period`, `day_`, `day_bit` and chunks of the date column `at`, and `late`: the period in which
        they became known where that is a later one, else ON_TIME. The flag says whether any row could be late."""
        table, declared = self._tables[name], TABLES[name]
        rows = table.mutate(day_=table[at].cast("date")).join(self._calendar.rename(day_="day"), "day_")
        if "recorded_at" not in table.columns and at == declared.event:
            return rows.mutate(late=ibis.literal(ON_TIME, "int32")), False
        known = self._calendar.select(known_="day", known_period="period")
        rows = rows.mutate(known_=ibis.greatest(known_at(rows, declared), rows.day_)).join(known, "known_")
        late = ibis.cases((rows.known_period > rows.period, rows.known_period), else_=ibis.literal(ON_TIME, "int32"))
        return rows.mutate(late=late), True

    def _add_up(self, name: str, at: str, facts: Sequence[Folded]) -> Expression:
        """Rows added up by account, period and the period in which they became known."""
        rows, can_be_late = self._dated(name, at)
        sums: dict[str, Expression] = {}
        for fact in facts:
            where = None if fact.where is None else fact.where(rows)
            if isinstance(fact, Days):
                sums[fact.name] = rows.day_bit.bit_or(where=where).fill_null(0)
            elif isinstance(fact, Latest):
                sums[fact.name] = rows.day_number.max(where=where).fill_null(-1)
            elif fact.value is not None:
                sums[fact.name] = fact.value(rows).cast("decimal(18, 4)").sum(where=where).cast("float64")
            else:
                sums[fact.name] = rows.count(where=where).cast("float64")
        if can_be_late:
            return rows.group_by(["account_id", "period", "late"]).agg(**sums)
        return rows.group_by(["account_id", "period"]).agg(**sums).mutate(late=ibis.literal(ON_TIME, "int32"))

    def _fold_items(self, fact: Distinct, values: Sequence[ItemValue]) -> tuple[Expression, Expression | None]:
        """Each account's items with their periods as bits and their values; and the (item, period) booked late."""
        rows, can_be_late = self._dated(fact.table, fact.at)
        if fact.where is not None:
            rows = rows.filter(fact.where(rows))
        rows = rows.filter(rows[fact.item].notnull())
        on_time = (rows.late == ON_TIME) if can_be_late else None
        chunks = [name for name in self._calendar.columns if name.startswith("chunk_")]
        items = rows.group_by(["account_id", fact.item]).agg(
            **{chunk: rows[chunk].bit_or(where=on_time).fill_null(0) for chunk in chunks}
        )
        for value in values:
            table = self._tables[value.table]
            known = table.select(
                fact.item,
                **{
                    f"value_{value.name}": table[value.column].cast("date"),
                    f"known_{value.name}": known_at(table, TABLES[value.table]),
                },
            )
            items = items.left_join(known, fact.item).drop(f"{fact.item}_right")
        if not can_be_late:
            return self._store(f"items_{fact.name}", self._coded(items.drop(fact.item))), None
        numbered = self._store(
            f"numbered_{fact.name}",
            self._coded(items).mutate(item=ibis.row_number().over(order_by=["code", fact.item])),
        )
        late = (
            self._coded(rows.filter(rows.late != ON_TIME).select("account_id", fact.item, "period", "late"))
            .join(numbered.select("code", fact.item, "item"), ["code", fact.item])
            .group_by(["code", "item", "period"])
            .agg(late=ibis._.late.min())
        )
        return numbered, self._store(f"late_{fact.name}", late)

    def _work_out(self, fact: AsOf) -> Expression:
        """(code, number or nothing, cutoff, value): of accounts, regions or the company."""
        rows = fact.rows(self._known)
        rows = rows.mutate(value=rows.value.cast("float64"))
        if fact.by == "account":
            return self._coded(rows.select("account_id", "cutoff", "value"))
        if fact.by == COMPANY:
            return rows.select("cutoff", "value", number=ibis.literal(0, "int64"))
        return rows.join(self._regions, REGION).select("number", "cutoff", "value")

    def _sum_up(self, fact: Shared) -> Expression:
        """(code, period, late, total) of regions or of the company."""
        stored, _ = self._folded[fact.of.table, fact.of.at]
        if fact.by == REGION:
            rows = stored.join(self._region_codes, "code").drop("code").rename(code="number")
        else:
            rows = stored.mutate(code=ibis.literal(0, "int64"))
        # As decimals the order of adding does not matter.
        total = rows[fact.of.name].cast("decimal(22, 4)").sum().cast("float64")
        return rows.group_by(["code", "period", "late"]).agg(total=total)

    def _groups_panel(self) -> Panel:
        """Facts of regions and of the company, the same for every block, and the region of every account."""
        panel = Panel(0)
        regions = 1
        if self._region_codes is not None:
            rows = self._query(self._region_codes)
            panel.groups[REGION] = np.full(len(self.accounts), -1, dtype=np.int64)
            panel.groups[REGION][rows["code"].to_numpy()] = rows["number"].to_numpy()
            regions = self._query(self._regions.count()).as_py() or 1
        for as_of, stored in self._as_of:
            if as_of.by != "account":
                found = self._query(stored)
                panel.as_of[as_of.name] = values = np.full(
                    (1 if as_of.by == COMPANY else regions, len(self.grid.at)), np.nan
                )
                values[found["number"].to_numpy(), found["cutoff"].to_numpy()] = found["value"].to_numpy()
        for shared, stored in self._sums:
            sums = {name: values.to_numpy() for name, values in _columns(self._query(stored))}
            place = _Place(sums, 1 if shared.by == COMPANY else regions, len(self.grid.edges) - 1)
            panel.additive[shared.name] = place.cells(_whole(sums["total"], shared.name))
        return panel

    def _first_known(self, name: str) -> Ints:
        """(cut-offs,) the first event day among the rows known at each cut-off; a far day where there is none."""
        table, declared = self._tables[name], TABLES[name]
        if declared.event not in table.columns or name == "accounts":
            return np.full(len(self.grid.at), self.grid.edges[0])
        day = table[declared.event].cast("date")
        if "recorded_at" not in table.columns:
            first = day.min().to_pyarrow().as_py()
            return np.full(len(self.grid.at), day_number(first) if first else self.grid.edges[-1])
        known = table.select(day_=day, known_=known_at(table, declared)).filter(ibis._.day_.notnull())
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

    def _read(self, stored: Expression, low: int, high: int) -> dict[str, npt.NDArray[Any]]:
        """The numbers of a stored table for some accounts; texts, such as the items' ids, stay in the engine."""
        columns = ", ".join(f'"{name}"' for name, kind in stored.schema().items() if not kind.is_string())
        sql = f'SELECT {columns} FROM "{stored.get_name()}" WHERE code BETWEEN {low} AND {high - 1}'
        with self._reading:  # blocks slide in parallel; the engine's connection serves one at a time
            table = self._connection.con.sql(sql).to_arrow_table()
        rows = {name: values.to_numpy() for name, values in _columns(table)}
        rows["code"] = rows["code"] - low
        return rows

    def _read_items(
        self, stored: Expression, late: Expression | None, values: Sequence[ItemValue], low: int, high: int
    ) -> Items:
        rows = self._read(stored, low, high)
        order = np.argsort(rows["code"], kind="stable")
        chunks = sorted((name for name in rows if name.startswith("chunk_")), key=lambda name: int(name[6:]))
        seen = np.concatenate([unpack_bits(rows[name][order]) for name in chunks], axis=1)
        cells = NO_LATE
        if late is not None:
            again = self._read(late, low, high)
            place = np.argsort(rows["item"][order], kind="stable")
            row = place[np.searchsorted(rows["item"][order], again["item"], sorter=place)]
            period, known = again["period"].astype(np.int64), again["late"].astype(np.int64)
            cells = Late(row, period, known, np.ones_like(period))
        dated = {
            value.name: (_days(rows[f"value_{value.name}"][order]), _days(rows[f"known_{value.name}"][order]))
            for value in values
        }
        return Items(rows["code"][order], seen[:, : len(self.grid.edges) - 1], cells, dated)


def _columns(table: pa.Table) -> Iterable[tuple[str, pa.ChunkedArray]]:
    return zip(table.column_names, table.columns, strict=True)


class _Place:
    """Where folded rows belong: in the dense array of rows x periods, or among what became known later."""

    def __init__(self, rows: Mapping[str, npt.NDArray[Any]], count: int, periods: int) -> None:
        self._shape = count, periods
        self._code, self._period = rows["code"], rows["period"].astype(np.int64)
        self._known = rows["late"].astype(np.int64)
        on_time = self._known == ON_TIME
        self._late = None if on_time.all() else np.flatnonzero(~on_time)
        self._on_time = None if self._late is None else np.flatnonzero(on_time)
        flat = self._code * periods + self._period
        self._flat = flat if self._on_time is None else flat[self._on_time]

    def cells(self, values: Ints) -> Cells:
        dense = np.zeros(self._shape, dtype=np.int64)
        dense.ravel()[self._flat] = values if self._on_time is None else values[self._on_time]
        if self._late is None:
            return Cells(dense)
        late = self._late[values[self._late] != 0]
        return Cells(dense, Late(self._code[late], self._period[late], self._known[late], values[late]))

    def latest(self, days: Ints) -> Ints:
        """(rows, periods) the last of the days that became known in each period."""
        result = np.full(self._shape, -1, dtype=np.int64)
        known = np.where(self._known == ON_TIME, self._period, self._known)
        np.maximum.at(result, (self._code, known), days)
        return result


def _days(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    days = values.astype("datetime64[D]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64))


def _whole(values: npt.NDArray[Any], name: str) -> Ints:
    scaled = np.nan_to_num(values, nan=0.0) * SCALE
    if len(scaled) and max(scaled.max(), -scaled.min()) > EXACT:
        raise ConfigurationError(
            f"The sums of {name} exceed {EXACT / SCALE:.0f} in one period, beyond what is added exactly. "
            "Use a larger unit (thousands) in the source's SQL."
        )
    whole: Ints = np.rint(scaled).astype(np.int64)
    return whole
