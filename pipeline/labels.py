"""Command labels: how the ranking of accounts moves with the definition of a loss."""

from __future__ import annotations

import json
import logging
from datetime import date
from time import perf_counter
from typing import Any

import pandas as pd
from tqdm import tqdm

from features.errors import ConfigurationError
from features.labels import DEFINITIONS, column_of
from models.definitions import FloatArray, compare, moves, two_kinds
from pipeline.artifacts import column_names, read_frame
from pipeline.frames import columns_of, read_matrix, rules_of, write_text
from pipeline.layout import Layout
from pipeline.params import Featurize, Params, Train
from pipeline.past import Past
from pipeline.train import fit_at
from reports.labels import Page, render

log = logging.getLogger("holdfast")
MOVED = 20  # accounts told of


def run(layout: Layout, params: Params) -> None:
    """Write `artifacts/<source>/labels.json` and `labels.html`.

    At the last cut-off of which all definitions are known the recipe is trained once a definition, on what was known of
    it by then, and ranks the accounts that were still active.

    Raises ConfigurationError if there is no such cut-off, or fewer than two definitions can be learned.
    """
    started = perf_counter()
    there = set(columns_of(layout.matrix))
    names = [name for name in DEFINITIONS if column_of(name) in there]
    outcomes = [column_of(name) for name in names]
    keys = read_matrix(layout.matrix, columns=["account_id", "as_of", "lapsed", *outcomes])
    day = last_known(keys[~keys["lapsed"]], names)
    past = Past.read(layout.matrix, params.train, labels=outcomes)
    active = past.at([day])
    active = active[~active["lapsed"]].set_index("account_id")
    risks = {}
    for name in tqdm(names, desc="definitions", disable=None):
        try:
            risks[name] = rank_by(name, past.rows, active, day, params.featurize, params.train)
        except ConfigurationError as error:
            log.info("labels %s: without %s: %s", layout.source, name, error)
    if len(risks) < 2:
        raise ConfigurationError(
            f"Of the labels {', '.join(names)} fewer than two can be learned from what was known at {day}. Give more "
            "history, a shorter horizon or a smaller featurize.rhythm_cap in params.yaml, then run `holdfast featurize`."
        )
    table = pd.DataFrame(risks, index=active.index)
    labels = active[[column_of(name) for name in risks]].set_axis(list(risks), axis=1)
    found: dict[str, Any] = {
        "as_of": str(day),
        "accounts": len(active),
        "predicts": params.featurize.label,
        "formula": {name: DEFINITIONS[name].in_words(rules_of(params.featurize)) for name in risks},
        **compare(table, labels),
        "moves": moves(table, next(iter(risks)), MOVED),
    }
    write_text(json.dumps(found, indent=1) + "\n", layout.labels)
    write_text(render(Page(layout.source, found, table, names_of(layout))), layout.labels_page)
    log.info(
        "labels %s: %s active accounts at %s by %s; %.1f s; wrote %s",
        layout.source,
        f"{len(active):,}",
        day,
        ", ".join(f"{name} ({found['lost'][name]['lost']:,} lost)" for name in risks),
        perf_counter() - started,
        layout.labels_page,
    )


def last_known(matrix: pd.DataFrame, names: list[str]) -> date:
    """The last cut-off at which every definition has matured: for all accounts, where it applies to all.

    Raises ConfigurationError if the matrix has none of the definitions beside its label, or no such cut-off.
    """
    if not names:
        raise ConfigurationError(
            "The matrix has no labels beside its own. Run `holdfast featurize` for this source again."
        )
    certain = [column_of(name) for name in names if DEFINITIONS[name].silence]
    known = matrix[certain].notna().all(axis=1).groupby(matrix["as_of"]).all()
    days: list[date] = sorted(known.index[known])
    if not days:
        raise ConfigurationError(
            "There is no cut-off at which every definition of a loss has matured. Give more history, or a smaller "
            "featurize.rhythm_cap in params.yaml, then run `holdfast featurize` again."
        )
    return days[-1]


def rank_by(
    name: str, matrix: pd.DataFrame, active: pd.DataFrame, day: date, featurize: Featurize, train: Train
) -> FloatArray:
    """The risk of the `active` accounts of a loss so defined: (accounts,).

    Raises ConfigurationError where it cannot be learned from what was known of it at `day`.
    """
    own = featurize.model_copy(update={"label": name})
    labelled = matrix.assign(label=matrix[column_of(name)])
    if not two_kinds(labelled.loc[labelled["as_of"] < day, "label"]):
        raise ConfigurationError("the accounts were all lost or all kept, or it applies to none.")
    return fit_at(labelled, day, own, train).predict(active)


def names_of(layout: Layout) -> dict[str, str]:
    """Names of accounts where the accounts table has them."""
    path = layout.tables / "accounts.parquet"
    if not path.exists() or "name" not in column_names(path):
        return {}
    table = read_frame(path, ["account_id", "name"]).dropna()
    return dict(zip(table["account_id"], table["name"], strict=True))
