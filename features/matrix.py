"""The matrix: features, label and eligibility of every eligible account at every cut-off."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog import available, facts_of
from features.declaration import Array, Expression, Feature
from features.engines import Read
from features.files import written
from features.fold import Cutoffs, Fold, day_number
from features.labels import DEFINITIONS, LABELS, Outcomes, Rows, Rules, column_of, dates_of
from features.orders import AMOUNT, ORDER_DAYS
from features.panels import Kept, LateOrders
from features.parts import THREADS, Change, Parts, ahead
from features.peers import Medians, against, medians, peered
from features.periods import Duration, Label, grids
from features.windows import View

PARTS_FILE = "_parts.json"  # of a matrix: its parts and their rows; no reader of Parquet takes it for one
YEAR_AMOUNT = "_year_amount"  # travels with the parts until peers are known
MOST_STEPS = 12
SILENT = tuple(f"silent_{step}" for step in range(1, MOST_STEPS + 1))
KEYS = ("account_id", "as_of", "label", "lapsed", *SILENT, *LABELS)  # what a matrix may hold that is no feature
RULES = Rules()


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
    finish: Change | None = None,
) -> Generator[pa.Table, None, None]:
    """Yield the matrix in parts, each of one block of accounts, rows ordered by as_of and account.

    `known_until`: first day after the data; a label that matures later is null, and so is a `silent_<k>`. Features default to all that the
    tables can show. `finish` may add columns to a part, where the engine works. A progress bar is shown on a terminal. Who may not
    take all of them closes it, while the connection is open: else what it holds there and on disk stays until it is collected.
    """
    chosen = features_of(tables) if features is None else tuple(features)
    facts = {fact.name: fact for feature in chosen for fact in facts_of(feature)}
    facts |= {fact.name: fact for fact in (ORDER_DAYS, AMOUNT)}  # for eligibility, and for the tiers of peers
    for group in grids(list(cutoffs), plan.period):
        with Fold(connection, tables, facts.values(), Cutoffs(group, plan.period, plan.label, plan.steps)) as fold:
            parts = fold.blocks(plan.block, _sliding(fold, group, plan, known_until, chosen), progress)
            if not peered(chosen):
                yield from parts.map(finish) if finish else parts
                continue
            with parts.kept() as waiting:
                known = _medians(waiting, peered(chosen))
                whole = waiting.released().map(partial(_against_peers, peered(chosen), known))
                yield from whole.map(finish) if finish else whole


def _sliding(
    fold: Fold, group: list[date], plan: Plan, known_until: date, features: tuple[Feature, ...]
) -> partial[pa.Table]:
    """What makes a part of a block: it holds nothing of the engine, so that it may work elsewhere."""
    outcomes = _keep_outcomes(fold, plan, known_until)
    return partial(_block, fold.kept, fold.cutoffs, outcomes, group, plan, known_until, features)


def _medians(parts: Parts, features: Sequence[Feature]) -> dict[date, Medians]:
    """By cut-off what all accounts have; of the parts' columns one cut-off at a time is gathered."""
    names = [feature.name for feature in features]
    known = {}
    for day in sorted({day for days in parts.gather(_days) for day in days["as_of"].to_pylist()}):
        rows = pa.concat_tables(parts.gather(partial(_of_day, day, names)))
        columns = {name: _numbers(rows, name) for name in (*names, YEAR_AMOUNT)}
        known[day] = medians(columns.pop(YEAR_AMOUNT), columns)
    return known


def _days(part: pa.Table) -> pa.Table:
    return pa.table({"as_of": part["as_of"].unique()})


def _of_day(day: date, names: Sequence[str], part: pa.Table) -> pa.Table:
    return part.select([*names, YEAR_AMOUNT]).slice(*_spans(part).get(day, (0, 0)))


def _against_peers(features: Sequence[Feature], known: Mapping[date, Medians], part: pa.Table) -> pa.Table:
    """Set the features that look at peers against the medians of all accounts, which are known only after all blocks."""
    spans = _spans(part)
    amount = _numbers(part, YEAR_AMOUNT)
    for feature in features if spans else ():
        own = _numbers(part, feature.name)
        values = [
            against(feature, own[start : start + count], amount[start : start + count], known[day])
            for day, (start, count) in spans.items()
        ]
        place = part.schema.get_field_index(feature.name)
        part = part.set_column(place, part.schema.field(place), pa.array(np.concatenate(values)))
    return part.drop_columns([YEAR_AMOUNT])


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
            rows = list(ahead(pool, write_one, enumerate(parts)))
        counts = {f"part-{number:05d}.parquet": count for number, count in enumerate(rows)}
        (temporary / PARTS_FILE).write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return sum(rows)


def _block(
    kept: Kept,
    cutoffs: Cutoffs,
    outcomes: Mapping[str, str],
    group: Sequence[date],
    plan: Plan,
    known_until: date,
    features: Sequence[Feature],
    read: Read,
    low: int,
    high: int,
) -> pa.Table:
    """The part of the accounts low .. high - 1; `outcomes`: definition -> kept table."""
    view = View(kept.panel(read, high - low), kept.grid)
    recency, order_days = view.since_last(ORDER_DAYS), view.days(ORDER_DAYS)
    silences = list(_no_order(view, cutoffs, kept.late_orders(read), known_until))
    labels = {"silent": silences[0]}
    labels |= {name: kept.values(read(table), high - low) for name, table in outcomes.items()}
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

    codes = read("codes")
    ids = pa.array(codes["account_id"][np.argsort(codes["code"])], pa.string()).take(pa.array(account_of))
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


def _keep_outcomes(fold: Fold, plan: Plan, known_until: date) -> dict[str, str]:
    """The kept tables of what happened, for each definition that the plan asks for and the engine works out."""
    found = {}
    for name in dict.fromkeys((plan.predicts, *plan.beside)):
        if (rows := DEFINITIONS[name].rows) is not None:
            found[name] = f"outcome_{name}"
            fold.keep_outcomes(
                found[name], dates_of(fold.cutoffs, plan.rules, known_until), partial(_work_out, rows, plan)
            )
    return found


def _work_out(rows: Rows, plan: Plan, orders: Expression, cutoffs: Expression) -> Expression:
    return rows(Outcomes(orders, cutoffs, plan.rules, plan.label.booking_lag))


def _no_order(view: View, cutoffs: Cutoffs, late: LateOrders | None, known_until: date) -> Iterator[Array]:
    """For each horizon (accounts, cut-offs): 1 no order in it, 0 an order, NaN not known at `known_until`."""
    following = view.until_next(ORDER_DAYS)
    for number, (ends, matures) in enumerate(zip(cutoffs.ends(), cutoffs.matures(), strict=True)):
        if late is not None:
            following[late.accounts] = np.inf
            following[late.position, late.cutoff] = late.day[number] - view.day[late.cutoff]
        horizon = np.array([day_number(end) for end in ends]) - view.day
        mature = np.array([day <= known_until for day in matures])
        yield np.where(mature, (following >= horizon).astype(np.float64), np.nan)
