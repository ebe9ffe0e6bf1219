"""What several stages read and write: the matrix, frames as Parquet or CSV, texts."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from features.errors import ConfigurationError, ContractError
from features.files import written_file
from features.labels import DEFINITIONS, Rules
from features.matrix import PARTS_FILE, Plan
from features.periods import Duration, Label
from models.lineage import Lineage, beside, with_lineage
from pipeline.artifacts import Damage, missing, read_json, reading
from pipeline.params import Featurize

CHECKED = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)
SILENCE = "silent"  # the definition of a loss that needs no name


def plan_of(params: Featurize) -> Plan:
    """How the matrix is built, from `params.yaml`."""
    return Plan(
        params.period, label_of(params), params.block, params.steps, predicts=params.label, rules=rules_of(params)
    )


def label_of(params: Featurize) -> Label:
    """What is predicted, from `params.yaml`."""
    longest = DEFINITIONS[params.label].longest(rules_of(params))
    return Label(params.horizon, params.eligible, params.min_orders, params.booking_lag, longest)


def rules_of(params: Featurize) -> Rules:
    """The numbers in the definitions of a loss, from `params.yaml`."""
    cap = Duration(params.period.count * params.rhythm_cap, params.period.unit)
    return Rules(params.halved, params.rhythm_gaps, cap)


def meta_of(plan: Plan) -> dict[str, Any]:
    """The plan in words, kept with a model so that scoring builds the same matrix; `label` and `longest` are left out
    where it is the silence of all accounts alike."""
    words = {
        "period": str(plan.period),
        "horizon": str(plan.label.horizon),
        "eligible": str(plan.label.eligible),
        "min_orders": plan.label.min_orders,
        "booking_lag": str(plan.label.booking_lag),
    }
    if plan.predicts != SILENCE:
        words |= {"label": plan.predicts, "longest": str(plan.label.longest)}
    return words


def plan_from(meta: dict[str, Any], block: int) -> Plan:
    """The plan that a model was trained with, for scoring: without what happened after the cut-off."""
    label = Label(
        Duration.parse(meta["horizon"]),
        Duration.parse(meta["eligible"]),
        int(meta["min_orders"]),
        Duration.parse(meta["booking_lag"]),
        Duration.parse(meta.get("longest", "0 days")),
    )
    return Plan(Duration.parse(meta["period"]), label, block, steps=0)


def known_until(tables: dict[str, Any]) -> date:
    """First day after the last order of the data: labels that mature later are not known."""
    last = tables["orders"].ordered_at.max().to_pyarrow().as_py()
    if last is None:
        raise ContractError("orders: the table has no rows. Check the extract, then run `holdfast ingest` again.")
    day: date = last.date()
    return day + timedelta(days=1)


def read_matrix(
    folder: Path,
    cutoffs: Sequence[date] | None = None,
    accounts: Collection[str] | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The matrix of some cut-offs, accounts and columns (all where None), ordered by as_of and account.

    Memory for what is asked for and one row group is enough, and row groups that hold nothing of it are not read beyond
    as_of and account. `columns` must hold these two. Raises ConfigurationError if there is no matrix, or none of a cut-off
    asked for; ContractError if what is read of it is damaged.
    """
    parts = list(parts_of(folder))
    wanted = _wanted(cutoffs, accounts)
    names = None if columns is None else list(columns)
    with reading(folder):
        if wanted is None:
            table = ds.dataset(folder, format=CHECKED).to_table(columns=names)
        else:
            found = [part.to_table(filter=wanted, columns=names) for part in parts if part.count_rows(filter=wanted)]
            table = pa.concat_tables(found) if found else parts[0].head(0, columns=names)
    lacking = sorted(set(cutoffs or ()) - set(table["as_of"].unique().to_pylist()))
    if lacking:
        raise ConfigurationError(
            f"The matrix in {folder} has no accounts at the cut-off {lacking[0]}. Cut-offs step by whole periods between "
            "featurize.first_cutoff and last_cutoff in params.yaml; choose among them, then run `holdfast featurize`."
        )
    frame: pd.DataFrame = table.sort_by([("as_of", "ascending"), ("account_id", "ascending")]).to_pandas()
    return frame


def columns_of(folder: Path) -> list[str]:
    """The columns of a matrix; raises as `parts_of` does."""
    parts = parts_of(folder)
    with reading(folder):
        names: list[str] = parts[0].physical_schema.names
    return names


def parts_of(folder: Path) -> list[ds.Fragment]:
    """The row groups of a matrix. Raises ConfigurationError if there is no matrix, ContractError if it is damaged or parts
    of it are missing."""
    if not folder.is_dir():
        raise missing(folder)
    listed = folder / PARTS_FILE
    for name, rows in (read_json(listed) if listed.exists() else {}).items():
        with reading(folder / name):
            if not (folder / name).exists():
                raise Damage("this part of the matrix is missing")
            if (found := pq.read_metadata(folder / name).num_rows) != rows:
                raise Damage(f"it has {found} rows instead of {rows}")
    with reading(folder):
        if not (files := list(ds.dataset(folder, format=CHECKED).get_fragments())):
            raise Damage("it holds no file")
        return [part for file in files for part in file.split_by_row_group()]


def _wanted(cutoffs: Sequence[date] | None, accounts: Collection[str] | None) -> ds.Expression | None:
    chosen = {"as_of": cutoffs, "account_id": accounts}
    terms = [ds.field(name).isin(list(values)) for name, values in chosen.items() if values is not None]
    return reduce(and_, terms) if terms else None


def write_frame(frame: pd.DataFrame, path: Path, lineage: Lineage | None = None) -> None:
    """Write Parquet or CSV, by the ending, whole or not at all; the same frame and lineage give the same bytes.

    Raises ConfigurationError for another ending.
    """
    require_ending(path)
    with written_file(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
            beside(path).unlink(missing_ok=True)  # first, so that it never stands beside rows of another origin
        else:
            table = with_lineage(pa.Table.from_pandas(frame, preserve_index=False), lineage)
            pq.write_table(table, temporary, write_page_checksum=True)
    if path.suffix == ".csv" and lineage is not None:
        write_text(json.dumps(lineage, indent=1) + "\n", beside(path))


def require_ending(path: Path) -> None:
    """Raise ConfigurationError unless `write_frame` knows the ending."""
    if path.suffix not in (".parquet", ".csv"):
        raise ConfigurationError(f"{path}: the ending must be .parquet or .csv.")


def write_text(text: str, path: Path) -> None:
    """Write a text file, whole or not at all."""
    with written_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
