"""The model card: what a run's model is for, what it learned from, how good it is, and what was decided of it.

Markdown, made from the facts that the run keeps as `model_card.json`. The same facts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from features.catalog import THEMES
from models.taxonomy import hypotheses, observable, taxonomy
from reports.measures import METRICS, MODELS, POPULATIONS
from reports.words import DASH, count, number, percent

NOT_RECIPE = ("features", "train_cutoffs", "period", "horizon", "eligible", "min_orders", "booking_lag")


def facts_of(
    source: str,
    meta: Mapping[str, Any],
    run: Mapping[str, Mapping[str, Any]],
    metrics: Mapping[str, Any],
    reasons: Mapping[str, Any],
    naming: Mapping[str, float],
) -> dict[str, Any]:
    """What the card is made from, ready for JSON.

    `meta` of the risk model; `run`: "params", "tags" and "metrics" of its training; `metrics` of the evaluation with
    gate and decision; `reasons`: stability and exits of the training; `naming`: "precision" asked for and "least_share".
    """
    features = list(meta["features"])
    seen, afar = observable(features), hypotheses(features)
    return {
        "source": source,
        "meta": {name: value for name, value in meta.items() if name != "features"},
        "themes": {
            theme.name: known
            for theme in THEMES
            if (known := sum(feature.name in features for feature in theme.features))
        },
        "run": {kind: dict(sorted(run[kind].items())) for kind in ("params", "tags", "metrics")},
        "metrics": dict(metrics),
        "reasons": dict(reasons),
        "naming": dict(naming),
        "seen": [code for code in seen if code not in afar],
        "afar": list(afar),
        "unseen": [code for code in taxonomy().codes if code not in seen],
    }


def render(facts: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = taxonomy().names
    environment.filters |= {
        "count": count,
        "percent": percent,
        "number": number,
        "model": lambda name: MODELS.get(name, name),
        "reasons": lambda codes: ", ".join(names[code]["en"] if code in names else code for code in codes) or "none",
        "interval": _interval,
        "cell": lambda words: str(words).replace("|", "\\|").replace("\n", " "),
    }
    recipe = {name: value for name, value in facts["run"]["params"].items() if name not in NOT_RECIPE}
    return environment.get_template("model_card.md.j2").render(
        **facts, recipe=recipe, measures=METRICS, populations=POPULATIONS, dash=DASH
    )


def _interval(cell: Mapping[str, float | None], digits: int, sign: bool = False) -> str:
    value = number(cell["value"], digits, sign)
    if value == DASH or cell["low"] is None or cell["high"] is None:
        return value
    return f"{value} ({number(cell['low'], digits, sign)} to {number(cell['high'], digits, sign)})"
