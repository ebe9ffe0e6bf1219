"""The page of definitions of a loss: what each calls a loss, how rankings agree, whose rank moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.definitions import ranks
from reports import charts
from reports.words import count, day, number, percent

TITLES = {"silent": "Silent", "halved": "Halved", "range_lost": "Line given up", "rhythm": "Own rhythm"}


@dataclass(frozen=True)
class Page:
    """What the page shows: `found` as `pipeline.labels` writes it, `risks` (accounts x definitions), `names` of accounts."""

    source: str
    found: Mapping[str, Any]
    risks: pd.DataFrame
    names: Mapping[str, str]


def render(page: Page) -> str:
    """The page as HTML, all text from the data escaped."""
    found = page.found
    order = list(found["formula"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": count, "number": number, "title": title_of}
    matrices: list[tuple[str, str, Mapping[str, Mapping[str, float | None]], Callable[[float | None], str]]] = [
        (
            "Rank correlation",
            "Spearman’s correlation of the ranks of all active accounts: 1 the same order, 0 none in common.",
            found["spearman"],
            lambda value: number(value, 2),
        ),
        (
            "The riskiest tenth in common",
            "Part of the riskiest tenth by the row’s definition that is in the riskiest tenth by the column’s.",
            found["overlap"],
            percent,
        ),
        (
            "What a ranking is worth for another definition",
            "AUC of the row’s ranking against the losses by the column’s definition: the chance that a lost account was "
            "ranked above a kept one; 0.5 is a coin.",
            found["auc"],
            lambda value: number(value, 3),
        ),
    ]
    return environment.get_template("labels.html.j2").render(
        source=page.source,
        day=day(date.fromisoformat(found["as_of"])),
        accounts=found["accounts"],
        predicts=found["predicts"],
        order=order,
        formula=found["formula"],
        lost=found["lost"],
        matrices=[
            {
                "title": title,
                "meaning": meaning,
                "rows": [(row, [shown(values[row][column]) for column in order]) for row in order],
            }
            for title, meaning, values, shown in matrices
        ],
        moves=[{**row, "name": page.names.get(row["account_id"], "")} for row in found["moves"]],
        plot=charts.ranks(
            "ranks",
            ranks(page.risks).rename(columns=title_of),
            "How ranks move with the definition",
            f"The rank of each of {count(len(page.risks))} accounts by {title_of(order[0])} against its rank by every "
            "other definition.",
        ),
    )


def title_of(name: str) -> str:
    """The definition's name in words."""
    return TITLES.get(name, name)
