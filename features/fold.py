"""The only code, with `known.py`, that joins on time: tables are read once and folded to account x period.

Every table's days are looked up in a calendar (day -> period, day of the period), and its rows are added up inside the
engine by account, period and, where they were booked in a later period than they happened in, by that one too. What is
no sum is worked out from `Known`, the tables as known at each cut-off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr import operations as ops

from features.declaration import (
    Additive,
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
from features.engines import Work, engine_of
from features.errors import ConfigurationError
from features.known import Known, known_at, worked_out
from features.panels import ON_TIME, REGION, ItemsOf, Kept, Place, Sum, whole
from features.parts import Parts
from features.periods import Duration, Label, edge_index, periods_in_year
from features.tables import SQL_TYPES, TABLES
from features.windows import BITS, COMPANY, NEVER, Grid, Ints, Panel

EPOCH = date(1970, 1, 1)


@ibis.udf.agg.builtin  # type: ignore[untyped-decorator]
def bit_or(bits: int, where: bool = True) -> int:  # type: ignore[empty-body]
    """The engine's own; Ibis has a name for it on DuckDB only."""


def _any_bit(bits: Expression, where: Expression | None) -> Expression:
    """The bits of all rows, of those `where` holds if it is given: as a filter, None would leave no row."""
    return bit_or(bits) if where is None else bit_or(bits, where=where)


def columns_of(fact: Fact) -> dict[str, set[str]]:
    """Which columns of which tables a fact cannot do without."""
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
    return {fact.table: used - set(getattr(fact, "spare", ()))}


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


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


class Fold:
    """The facts of all accounts for cut-offs that share their edges, held by the engine, read block by block.

    Attributes
    ----------
    cutoffs : the cut-offs, as given
    grid : the edges of the periods and the cut-offs among them
    accounts : number of the accounts that ever ordered; sorted by id they are 0 .. accounts - 1, a block is a range
    kept : what the engine kept, for whoever reads it
    """

    def __init__(self, connection: Any, tables: Mapping[str, Expression], facts: Iterable[Fact], cutoffs: Cutoffs):
        self._engine = engine_of(connection)
        self._facts = facts = list(facts)
        self.cutoffs = cutoffs
        self._tables = {name: self._engine.of_contract(table) for name, table in tables.items()}
        try:
            self._fold(facts)
        except BaseException:
            self._engine.close()
            raise

    def _fold(self, facts: Sequence[Fact]) -> None:
        self.grid = self.cutoffs.grid(self._first_day())
        if int(np.diff(self.grid.edges).max()) > BITS:
            raise ConfigurationError(
                f"featurize.period {self.cutoffs.period} is longer than {BITS} days. Use 2 months or less."
            )
        self._calendar = self._engine.put("calendar", self._calendar_table())
        self._cutoff_table = self._engine.put("cutoffs", self._cutoff_rows())
        self._known = Known(self._tables, self._cutoff_table, self._calendar, self.grid.year)
        self._columns: dict[str, Sequence[str]] = {}  # of the kept tables that blocks read
        self._sums: dict[str, tuple[Expression, list[Folded]]] = {}
        self._items: dict[str, ItemsOf] = {}
        self._as_of: list[tuple[AsOf, str, Expression]] = []
        self._shared: list[tuple[Shared, Expression]] = []
        orders = self._tables["orders"].select("account_id").distinct()
        self._codes = self._store("codes", orders.mutate(code=ibis.row_number().over(order_by="account_id")))
        self._regions, self._region_codes = self._number_regions()
        self._fold_all()
        horizons = self._late_orders()
        self._engine.wait()
        self.accounts: int = self._engine.query(self._codes.agg(count=self._codes.count()))["count"][0].as_py()
        self.kept = Kept(
            self.grid,
            {name: {fact.name: _kind(fact) for fact in facts} for name, (_, facts) in self._sums.items()},
            self._items,
            {fact.name: name for fact, name, _ in self._as_of if fact.by == "account"},
            self._region_codes is not None,
            self._shared_panel([fact.table for fact in facts if isinstance(fact, Reach)]),
            horizons,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Drop what the engine holds for this fold."""
        self._engine.close()

    def blocks(self, size: int, work: Work, progress: bool = False) -> Parts:
        """What `work` makes of each block of `size` accounts; `kept` tells what it may read."""
        return self._engine.blocks(self._columns, self.accounts, size, work, progress)

    def keep_outcomes(self, name: str, dates: pa.Table, rows: Callable[[Expression, Expression], Expression]) -> None:
        """Keep as table `name` what `rows`, given the orders and the table `dates` of cut-offs, says happened.

        It returns (account_id, cutoff, value), at most one row for an account and cut-off.
        """
        cutoffs = self._engine.put(f"dates_{name}", dates)
        found = self._coded(rows(self._tables["orders"], cutoffs).filter(ibis._.value.notnull()))
        self._store(name, found.select("code", "cutoff", "value"))
        self._engine.wait()

    # -- building ------------------------------------------------------------------------------------------------

    def _store(self, name: str, what: Expression) -> Expression:
        """Have the engine keep the table `what`; blocks read its numbers if it has a code, and the accounts' ids."""
        if "code" in what.columns:
            texts = {column for column, kind in what.schema().items() if kind.is_string()} - {"account_id"}
            self._columns[name] = [column for column in what.columns if column not in texts]
        return self._engine.store(name, what)

    def _first_day(self) -> date:
        """Earliest day on which a fact can fall."""
        firsts: list[date] = []
        folded = {(f.table, f.at) for f in self._facts if isinstance(f, (Additive, Days, Latest, Distinct))}
        for name, at in folded | {("orders", "ordered_at")}:
            first = self._engine.query(self._tables[name].agg(first=ibis._[at].min()))["first"][0].as_py()
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
            self._sums[f"{name}_{at}"] = (stored, facts)
        for fact in self._facts:
            if isinstance(fact, Distinct):
                values = [item for item in self._facts if isinstance(item, ItemValue) and item.of == fact]
                self._items[fact.name] = self._fold_items(fact, values)
            elif isinstance(fact, AsOf):
                name = f"as_of_{fact.name}"
                self._as_of.append((fact, name, self._store(name, self._work_out(fact))))
            elif isinstance(fact, Shared):
                self._shared.append((fact, self._engine.store(f"sum_{fact.name}", self._sum_up(fact))))

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
                sums[fact.name] = _any_bit(rows.day_bit, where).fill_null(0)
            elif isinstance(fact, Latest):
                sums[fact.name] = rows.day_number.max(where=where).fill_null(-1)
            elif fact.value is not None:
                sums[fact.name] = fact.value(rows).cast("decimal(18, 4)").sum(where=where).cast("float64")
            else:
                sums[fact.name] = rows.count(where=where).cast("float64")
        if can_be_late:
            return rows.group_by(["account_id", "period", "late"]).agg(**sums)
        return rows.group_by(["account_id", "period"]).agg(**sums).mutate(late=ibis.literal(ON_TIME, "int32"))

    def _fold_items(self, fact: Distinct, values: Sequence[ItemValue]) -> ItemsOf:
        """Each account's items with their periods as bits and their values; and the (item, period) booked late."""
        rows, can_be_late = self._dated(fact.table, fact.at)
        if fact.where is not None:
            rows = rows.filter(fact.where(rows))
        rows = rows.filter(rows[fact.item].notnull())
        on_time = (rows.late == ON_TIME) if can_be_late else None
        chunks = [name for name in self._calendar.columns if name.startswith("chunk_")]
        items = rows.group_by(["account_id", fact.item]).agg(
            **{chunk: _any_bit(rows[chunk], on_time).fill_null(0) for chunk in chunks}
        )
        for value in values:
            table = self._tables[value.table]
            known = table.select(
                fact.item,
                **{
                    f"value_{value.name}": table[value.column].cast("date").epoch_days(),
                    f"known_{value.name}": known_at(table, TABLES[value.table]).epoch_days(),
                },
            )
            items = items.left_join(known, fact.item).drop(f"{fact.item}_right")
        dates = [name for name in items.columns if name.startswith(("value_", "known_"))]
        items = self._coded(items.mutate(**{name: items[name].fill_null(NEVER) for name in dates}))
        name, names = f"items_{fact.name}", [value.name for value in values]
        if not can_be_late:
            self._store(name, items.drop(fact.item))
            return ItemsOf(name, None, names)
        # Numbered within the account, so that no engine must sort them all in one place.
        numbered = self._store(
            name, items.mutate(item=ibis.row_number().over(ibis.window(group_by="code", order_by=fact.item)))
        )
        late = (
            self._coded(rows.filter(rows.late != ON_TIME).select("account_id", fact.item, "period", "late"))
            .join(numbered.select("code", fact.item, "item"), ["code", fact.item])
            .group_by(["code", "item", "period"])
            .agg(late=ibis._.late.min())
        )
        self._store(f"late_{fact.name}", late)
        return ItemsOf(name, f"late_{fact.name}", names)

    def _late_orders(self) -> int:
        """Keep the next order days of accounts with orders booked on a later day; number of horizons, 0 if none can be.

        A label may use what was booked until it matures, and nothing later; so may the label of each step.
        """
        orders = self._tables["orders"]
        if "recorded_at" not in orders.columns:
            return 0
        horizons = range(len(self.cutoffs.ends()))
        rows = orders.filter(~orders.is_return)
        rows = rows.select("account_id", day_=rows.ordered_at.cast("date"), known_=known_at(rows, TABLES["orders"]))
        late = rows.filter(rows.known_ > rows.day_).select("account_id").distinct().join(self._codes, "account_id")
        late = self._store("late_accounts", late)
        cutoffs = self._cutoff_table
        latest = ibis.greatest(*[cutoffs[f"matures_{number}"] for number in horizons])
        rows = rows.join(late, "account_id").join(cutoffs, [ibis._.day_ >= cutoffs.as_of, ibis._.known_ < latest])
        days = {f"day_{number}": rows.day_.min(where=rows.known_ < rows[f"matures_{number}"]) for number in horizons}
        found = rows.group_by(["code", "cutoff"]).agg(**days)
        self._store("late_orders", found.mutate(**{day: found[day].epoch_days().fill_null(NEVER) for day in days}))
        return len(horizons)

    def _work_out(self, fact: AsOf) -> Expression:
        """(code, number or nothing, cutoff, value): of accounts, regions or the company."""
        rows = worked_out(fact.rows, self._known)
        rows = rows.mutate(value=rows.value.cast("float64"))
        if fact.by == "account":
            return self._coded(rows.select("account_id", "cutoff", "value"))
        if fact.by == COMPANY:
            return rows.select("cutoff", "value", number=ibis.literal(0, "int64"))
        return rows.join(self._regions, REGION).select("number", "cutoff", "value")

    def _sum_up(self, fact: Shared) -> Expression:
        """(code, period, late, total) of regions or of the company."""
        stored, _ = self._sums[f"{fact.of.table}_{fact.of.at}"]
        if fact.by == REGION:
            rows = stored.join(self._region_codes, "code").drop("code").rename(code="number")
        else:
            rows = stored.mutate(code=ibis.literal(0, "int64"))
        # As decimals the order of adding does not matter.
        total = rows[fact.of.name].cast("decimal(22, 4)").sum().cast("float64")
        return rows.group_by(["code", "period", "late"]).agg(total=total)

    def _shared_panel(self, reaching: Iterable[str]) -> Panel:
        """Facts of regions and of the company, the same for every block, and the first days of the tables `reaching`."""
        panel = Panel(0, first_day={name: self._first_known(name) for name in reaching})
        regions = 1
        if self._regions is not None:
            regions = self._engine.query(self._regions.agg(count=self._regions.count()))["count"][0].as_py() or 1
        for as_of, _, stored in self._as_of:
            if as_of.by != "account":
                found = self._engine.query(stored)
                panel.as_of[as_of.name] = values = np.full(
                    (1 if as_of.by == COMPANY else regions, len(self.grid.at)), np.nan
                )
                values[found["number"].to_numpy(), found["cutoff"].to_numpy()] = found["value"].to_numpy()
        for shared, stored in self._shared:
            found = self._engine.query(stored)
            sums = {name: found[name].to_numpy() for name in found.column_names}
            place = Place(sums, 1 if shared.by == COMPANY else regions, len(self.grid.edges) - 1)
            panel.additive[shared.name] = place.cells(whole(sums["total"], shared.name))
        return panel

    def _first_known(self, name: str) -> Ints:
        """(cut-offs,) the first event day among the rows known at each cut-off; a far day where there is none."""
        table, declared = self._tables[name], TABLES[name]
        if declared.event not in table.columns or name == "accounts":
            return np.full(len(self.grid.at), self.grid.edges[0])
        day = table[declared.event].cast("date")
        if "recorded_at" not in table.columns:
            first = self._engine.query(table.agg(first=day.min()))["first"][0].as_py()
            return np.full(len(self.grid.at), day_number(first) if first else self.grid.edges[-1])
        known = table.select(day_=day, known_=known_at(table, declared)).filter(ibis._.day_.notnull())
        rows = self._engine.query(
            known.join(self._calendar.select(known_="day", period="period"), "known_")
            .group_by("period")
            .agg(first=ibis._.day_.min())
        )
        firsts = np.full(len(self.grid.edges), self.grid.edges[-1])
        for period, first in zip(rows["period"].to_pylist(), rows["first"].to_pylist(), strict=True):
            firsts[period + 1] = day_number(first)
        return np.minimum.accumulate(firsts)[self.grid.at]


def _kind(fact: Folded) -> Sum:
    return "additive" if isinstance(fact, Additive) else "days" if isinstance(fact, Days) else "latest"
