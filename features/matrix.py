"""The matrix: features, label and eligibility of every eligible account at every cut-off."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from features.catalog import available, facts_of
from features.declaration import Array, Expression, Feature
from features.files import written
from features.fold import Cutoffs, Fold, LateOrders, day_number
from features.labels import DEFINITIONS, LABELS, Outcomes, Rows, Rules, column_of, dates_of
from features.orders import AMOUNT, ORDER_DAYS
from features.peers import against, medians, peered
from features.periods import Duration, Label, grids
from features.windows import View

PARTS_FILE = "_parts.json"  # of a matrix: its parts and their rows; no reader of Parquet takes it for one
Item = TypeVar("Item")
Result = TypeVar("Result")
YEAR_AMOUNT = "_year_amount"  # travels with the parts until peers are known
MOST_STEPS = 12
SILENT = tuple(f"silent_{step}" for step in range(1, MOST_STEPS + 1))
KEYS = ("account_id", "as_of", "label", "lapsed", *SILENT, *LABELS)  # what a matrix may hold that is no feature
RULES = Rules()
HELD = 1 << 30  # bytes of parts that wait for their peers in memory
THREADS = 2  # NumPy lets go of the interpreter's lock; more blocks at a time would only need more memory


@dataclass(frozen=True)
class Plan:
    """How a matrix is built.

    `block`: accounts whose windows are slid at a time. `steps`: so many columns `silent_<k>`, at most MOST_STEPS.
    `last_label`: cut-offs after it get no label, though it may have matured; their `silent_<k>` are as ever.
    `predicts`: the definition in the column `label`, of `features/labels.py`. `beside`: those in columns `label_<name>`.
    """

    period: Duration
    label: Label
    block: int = 4_000
    steps: int = 6
    last_label: date | None = None
    predicts: str = "silent"
    beside: tuple[str, ...] = ()
    rules: Rules = RULES


def features_of(tables: Mapping[str, Expression]) -> tuple[Feature, ...]:
    """The declared features that these tables can show."""
    return available({name: set(table.columns) for name, table in tables.items()})


def schema_of(features: Sequence[Feature], steps: int = Plan.steps, beside: Sequence[str] = ()) -> pa.Schema:
    """Columns of the matrix: keys, label (1 lost, 0 kept, null not yet known), lapsed, silent_1 .. silent_<steps> (1 no
    order in so many periods from the cut-off on, 0 an order, null not yet known), label_<name> for the definitions
    `beside`, then the features."""
    numbers = (*SILENT[:steps], *map(column_of, beside), *(feature.name for feature in features))
    return pa.schema(
        [("account_id", pa.string()), ("as_of", pa.date32()), ("label", pa.float64()), ("lapsed", pa.bool_())]
        + [(name, pa.float64()) for name in numbers]
    )


def build(
    connection: Any,
    tables: Mapping[str, Expression],
    cutoffs: Sequence[date],
    plan: Plan,
    known_until: date,
    features: Sequence[Feature] | None = None,
    progress: bool = True,
) -> Iterator[pa.Table]:
    """Yield the matrix in parts, each of one block of accounts, rows ordered by as_of and account.

    `known_until`: first day after the data; a label that matures later is null, and so is a `silent_<k>`. Features default to all that the
    tables can show. A progress bar is shown on a terminal.
    """
    chosen = features_of(tables) if features is None else tuple(features)
    facts = {fact.name: fact for feature in chosen for fact in facts_of(feature)}
    facts |= {fact.name: fact for fact in (ORDER_DAYS, AMOUNT)}  # for eligibility, and for the tiers of peers
    for group in grids(list(cutoffs), plan.period):
        with Fold(connection, tables, facts.values(), Cutoffs(group, plan.period, plan.label, plan.steps)) as fold:
            yield from _parts(fold, group, plan, known_until, chosen, progress)


def _parts(
    fold: Fold, group: list[date], plan: Plan, known_until: date, features: tuple[Feature, ...], progress: bool
) -> Iterator[pa.Table]:
    """The parts of cut-offs that share their edges."""
    late = fold.late_orders()
    outcomes = _outcomes(fold, plan, known_until)
    starts = range(0, len(fold.accounts), plan.block)

    def part(start: int) -> pa.Table:
        return _block(
            fold, start, min(start + plan.block, len(fold.accounts)), group, plan, known_until, features, late, outcomes
        )

    with (
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(total=len(starts), desc="blocks", disable=None if progress else True) as bar,
    ):
        parts = _counted(_ahead(pool, part, starts), bar)
        yield from _against_peers(parts, features) if peered(features) else parts


def _ahead(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Like `pool.map`, but no more than THREADS results wait to be taken, so that memory stays bounded."""
    running: deque[Future[Result]] = deque()
    for item in items:
        running.append(pool.submit(work, item))
        if len(running) > THREADS:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _counted(parts: Iterable[pa.Table], bar: Any) -> Iterator[pa.Table]:
    for part in parts:
        bar.update()
        yield part


def _against_peers(parts: Iterable[pa.Table], features: Sequence[Feature]) -> Iterator[pa.Table]:
    """Set the features that look at peers against the medians of all accounts, which are known only after all blocks.

    The parts wait meanwhile; of their columns one cut-off at a time is gathered.
    """
    names = [feature.name for feature in peered(features)]
    with TemporaryDirectory(prefix="holdfast-peers-") as folder:
        waiting = deque(_held(parts, Path(folder)))
        spans = [_spans(part) for part in waiting]
        known = {}
        for day in sorted({day for span in spans for day in span}):
            rows = [part.slice(*span[day]) for part, span in zip(waiting, spans, strict=True) if day in span]
            columns = {name: np.concatenate([_numbers(row, name) for row in rows]) for name in (*names, YEAR_AMOUNT)}
            known[day] = medians(columns.pop(YEAR_AMOUNT), columns)
        for span in spans:
            part = waiting.popleft()  # so that memory is let go of as the parts are taken
            amount = _numbers(part, YEAR_AMOUNT)
            for feature in peered(features) if span else ():
                own = _numbers(part, feature.name)
                values = [
                    against(feature, own[start : start + count], amount[start : start + count], known[day])
                    for day, (start, count) in span.items()
                ]
                place = part.schema.get_field_index(feature.name)
                part = part.set_column(place, part.schema.field(place), pa.array(np.concatenate(values)))
            yield part.drop_columns([YEAR_AMOUNT])


def _held(parts: Iterable[pa.Table], folder: Path) -> Iterator[pa.Table]:
    """The same parts, which stay in memory up to HELD bytes and on disk beyond."""
    held = 0
    for number, part in enumerate(parts):
        if held + part.nbytes <= HELD:
            held += part.nbytes
            yield part
            continue
        path = str(folder / f"{number}.arrow")
        with pa.ipc.new_file(path, part.schema) as writer:
            writer.write_table(part)
        yield pa.ipc.open_file(pa.memory_map(path)).read_all()


def _spans(part: pa.Table) -> dict[date, tuple[int, int]]:
    """First row and number of rows of each cut-off, in order."""
    days = part["as_of"].to_numpy()
    if not len(days):
        return {}
    starts = np.flatnonzero(np.r_[True, days[1:] != days[:-1]])
    counts = np.diff(np.r_[starts, len(days)])
    return {days[start].astype(object): (int(start), int(count)) for start, count in zip(starts, counts, strict=True)}


def _numbers(part: pa.Table, name: str) -> Array:
    return np.asarray(part[name].to_numpy(), dtype=np.float64)


def write(parts: Iterator[pa.Table], folder: Path) -> int:
    """Write the parts as Parquet files of `folder`, whole or not at all; returns the number of rows.

    PARTS_FILE says how many rows each part has, so that one that is missing is missed; pages have checksums.
    """
    with written(folder) as temporary:

        def write_one(numbered: tuple[int, pa.Table]) -> int:
            number, part = numbered
            pq.write_table(
                part,
                temporary / f"part-{number:05d}.parquet",
                compression="lz4",
                use_dictionary=["account_id"],
                write_statistics=["account_id", "as_of"],
                write_page_checksum=True,
            )
            rows: int = part.num_rows
            return rows

        with ThreadPoolExecutor(THREADS) as pool:
            rows = list(_ahead(pool, write_one, enumerate(parts)))
        counts = {f"part-{number:05d}.parquet": count for number, count in enumerate(rows)}
        (temporary / PARTS_FILE).write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return sum(rows)


def _block(
    fold: Fold,
    low: int,
    high: int,
    group: Sequence[date],
    plan: Plan,
    known_until: date,
    features: Sequence[Feature],
    late: LateOrders,
    outcomes: Mapping[str, Array],
) -> pa.Table:
    panel = fold.panel(low, high)
    view = View(panel, fold.grid)
    recency, order_days = view.since_last(ORDER_DAYS), view.days(ORDER_DAYS)
    silences = list(_no_order(view, fold.cutoffs, late, low, high, known_until))
    labels = {"silent": silences[0], **{name: values[low:high] for name, values in outcomes.items()}}
    if plan.last_label is not None:
        unwanted = np.array([as_of > plan.last_label for as_of in group])
        labels = {name: np.where(unwanted, np.nan, values) for name, values in labels.items()}
    # Where accounts have horizons of their own, those known first are no fair sample of a cut-off.
    mature = np.array([plan.label.matures(as_of) <= known_until for as_of in group])
    label = np.where(mature, labels[plan.predicts], np.nan)
    silent = view.day - np.array([day_number(plan.label.horizon.before(as_of)) for as_of in group])
    window = view.day - np.array([day_number(plan.label.eligible.before(as_of)) for as_of in group])
    # NaN recency (never ordered) compares false: not eligible
    eligible = (recency <= window) & (order_days >= plan.label.min_orders)

    cutoff_of, account_of = np.nonzero(eligible.T)  # rows ordered by cut-off, then account
    cell = account_of * view.shape[1] + cutoff_of

    def column(values: Array) -> Array:
        chosen: Array = np.broadcast_to(np.asarray(values, dtype=np.float64), view.shape).reshape(-1)[cell]
        return chosen

    ids = pa.array(fold.accounts[low:high]).take(pa.array(account_of))
    dates = pa.array(group, pa.date32()).take(pa.array(cutoff_of))

    def known(values: Array) -> pa.Array:
        chosen = column(values)
        return pa.array(chosen, mask=np.isnan(chosen))

    arrays: list[pa.Array] = [ids, dates, known(label), pa.array((recency > silent)[account_of, cutoff_of])]
    arrays += [known(values) for values in (*silences[1:], *(labels[name] for name in plan.beside))]
    arrays += [pa.array(column(feature.formula(view))) for feature in features]
    schema = schema_of(features, plan.steps, plan.beside)
    if peered(features):
        arrays.append(pa.array(column(view.total(AMOUNT, 12))))
        schema = schema.append(pa.field(YEAR_AMOUNT, pa.float64()))
    return pa.Table.from_arrays(arrays, schema=schema)


def _outcomes(fold: Fold, plan: Plan, known_until: date) -> dict[str, Array]:
    """For each definition that the plan asks for and the engine works out, (accounts, cut-offs) as a label."""
    found = {}
    for name in dict.fromkeys((plan.predicts, *plan.beside)):
        if (rows := DEFINITIONS[name].rows) is not None:
            dates = dates_of(fold.cutoffs, plan.rules, known_until)
            found[name] = fold.outcomes(dates, partial(_work_out, rows, plan))
    return found


def _work_out(rows: Rows, plan: Plan, orders: Expression, cutoffs: Expression) -> Expression:
    return rows(Outcomes(orders, cutoffs, plan.rules, plan.label.booking_lag))


def _no_order(
    view: View, cutoffs: Cutoffs, late: LateOrders, low: int, high: int, known_until: date
) -> Iterator[Array]:
    """For each horizon (accounts, cut-offs): 1 no order in it, 0 an order, NaN not known at `known_until`."""
    following = view.until_next(ORDER_DAYS)
    inside = late.accounts[(late.accounts >= low) & (late.accounts < high)] - low
    mine = (late.position >= low) & (late.position < high)
    row, column = late.position[mine] - low, late.cutoff[mine]
    for days, ends, matures in zip(late.day, cutoffs.ends(), cutoffs.matures(), strict=True):
        following[inside] = np.inf
        following[row, column] = days[mine] - view.day[column]
        horizon = np.array([day_number(end) for end in ends]) - view.day
        mature = np.array([day <= known_until for day in matures])
        yield np.where(mature, (following >= horizon).astype(np.float64), np.nan)
