"""What the page tells of how far the risk can be trusted: past cut-offs, kinds of accounts, the champion, and now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.metrics import BINS, reliability
from reports import charts
from reports.language import message, say, say_number
from reports.measures import METRICS, MODELS, differences, model_name, population_name, sentence
from reports.words import clauses, count, listed, number, points

DIMENSIONS = {
    "tier": message("Purchases of twelve months"),
    "region": message("Region"),
    "age": message("Since the first order"),
}
SLICES = (  # the kinds of `models.slices` whose names are not from the data
    message("smallest fifth"),
    message("second fifth"),
    message("third fifth"),
    message("fourth fifth"),
    message("largest fifth"),
    message("under 1 year"),
    message("1 to 3 years"),
    message("3 years and more"),
    message("no region"),
)
COMPARED = {
    "models": message(
        "Version {version} is the champion that this model is to replace, or has replaced. Compared were the models, for "
        "{why}."
    ),
    "recipes": message(
        "Version {version} is the champion that this model is to replace, or has replaced. Compared were the recipes, for "
        "{why}."
    ),
    "nothing": message(
        "Version {version} is the champion that this model is to replace, or has replaced; it could not be compared: {why}."
    ),
}
WHY = (  # as `pipeline.champion` words it
    message("of these test cut-offs the champion had seen no label"),
    message("the champion has seen labels of every test cut-off"),
    message("the recipes are the same"),
)
UNTOLD = "it was told nothing of "
CALIBRATIONS = {
    "all": message("Calibration, all eligible accounts: predicted risk against share lost"),
    "active": message("Calibration, active accounts: predicted risk against share lost"),
}


def population(metrics: Mapping[str, Any], predictions: pd.DataFrame, kind: str) -> dict[str, Any]:
    """Tables and calibration plot of all eligible or of active accounts."""
    models = metrics.get("population", {}).get(kind, {})
    cells = {model: cutoffs["mean"] for model, cutoffs in models.items()}
    own: Mapping[str, Any] = next(iter(cells.values()), {})
    cutoffs = [day for day in next(iter(models.values()), {}) if day != "mean"]
    paired = [
        {"model": other, "differences": differences(values["mean"]), "sentence": ""}
        for other, values in metrics.get("paired", {}).get(kind, {}).items()
    ]
    for row in paired:
        row["sentence"] = sentence(model_name(row["model"]), row["differences"])
    plot, curves = _calibration(predictions, kind, cells)
    return {
        "key": kind,
        "name": population_name(kind),
        "n": own.get("n", 0),
        "losses": own.get("losses", 0),
        "cutoffs": len(cutoffs),
        "days": listed(cutoffs),
        "models": cells,
        "paired": paired,
        "paired_metrics": [name for name in METRICS if paired and name in paired[0]["differences"]],
        "plot": plot,
        "curves": curves,
    }


def champion(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the model compares with the champion there was, as `pipeline.champion.compare` found; None where there was none."""
    found = metrics.get("champion")
    if not found:
        return None
    if found["compared"] == "nothing":
        return {"told": _compared(found), "rows": []}
    rows = [
        {
            "name": population_name(kind),
            "own": found["population"][kind]["risk"]["mean"]["auc"],
            "other": found["population"][kind]["champion"]["mean"]["auc"],
            "differences": differences(others["champion"]["mean"]),
        }
        for kind, others in found["paired"].items()
    ]
    told = found["reasons"]
    return {
        "told": _compared(found),
        "days": listed(found["cutoffs"]),
        "rows": rows,
        "paired_metrics": list(rows[0]["differences"]),
        "accounts": told["accounts"],
        "changed": told["all"],
        "changed_large": told["large"],
    }


def _compared(found: Mapping[str, Any]) -> str:
    """What was compared with the champion, and why that; an error that stood in the way is told as it was raised."""
    if found["compared"] == "nothing":
        return say(COMPARED["nothing"], version=found["version"], why=found["why"])
    reasons = []
    for part in found["why"].split("; "):
        unknown = part.removeprefix(UNTOLD)
        if part in WHY:
            reasons.append(say(part))
        elif unknown != part:
            reasons.append(say("it was told nothing of {parameters}", parameters=listed(unknown.split(", "))))
        else:
            reasons.append(part)
    return say(COMPARED[found["compared"]], version=found["version"], why=clauses(reasons))


def expected(metrics: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the scoring's ranking is likely to be worth, and how far such estimates were off at the test cut-offs.

    `live` as stage score writes it; None where there is none, or nothing was checked.
    """
    past = metrics.get("label_free")
    if not live or not past:
        return None
    names = [name for name in METRICS if name in past["all"]["error"]]
    rows = [
        {
            "name": population_name(kind),
            "cells": {name: {**now[name], "off": past[kind]["error"][name]} for name in names},
        }
        for kind, now in live["population"].items()
    ]
    return {"names": names, "rows": rows, "cutoffs": len(past["all"]["cutoffs"]), "sentences": _off(past, live)}


def _off(past: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """The estimate of AUC in words, with what is known of its error."""
    said = []
    for kind, now in live["population"].items():
        auc, error, bias = now["auc"], past[kind]["error"]["auc"], past[kind]["bias"]["auc"]
        if auc["value"] is None or error is None:
            continue
        outcomes = [at["auc"]["outcome"] for at in past[kind]["cutoffs"].values()]
        known = sum(outcome is not None for outcome in outcomes)
        words: dict[str, object] = {
            "accounts": population_name(kind),
            "auc": number(auc["value"], 3),
            "low": number(auc["low"], 3),
            "high": number(auc["high"], 3),
            "error": number(error, 3),
            "bias": number(abs(bias), 3),
            "inside": past[kind]["inside"]["auc"],
            "known": known,
        }
        if bias < 0:
            told = say(
                "{accounts}: expected AUC {auc}, {low} to {high} by chance alone. At the test cut-offs such an estimate was "
                "off by {error} on average ({bias} too low on balance), and the outcome lay within that range at {inside} of "
                "{known}.",
                **words,
            )
        else:
            told = say(
                "{accounts}: expected AUC {auc}, {low} to {high} by chance alone. At the test cut-offs such an estimate was "
                "off by {error} on average ({bias} too high on balance), and the outcome lay within that range at {inside} "
                "of {known}.",
                **words,
            )
        said.append(told)
    return said


def slices(metrics: Mapping[str, Any], kind: str = "active") -> dict[str, Any] | None:
    """Quality by kind of account, of active accounts: rows of a table by dimension, and a plot of AUC."""
    found = metrics.get("slices")
    if not found or not any(found[kind].values()):
        return None
    groups = [(say(DIMENSIONS[name]), [_slice(row) for row in rows]) for name, rows in found[kind].items() if rows]
    baseline = next(iter(groups[0][1][0]["paired"]), None)
    every = [row for _, rows in groups for row in rows]
    off = [
        say("{dimension}, {accounts} ({finding})", dimension=head, accounts=row["name"], finding=row["off"])
        for head, rows in groups
        for row in rows
        if row["off"]
    ]
    judged = sum(row["observed"]["value"] is not None for row in every)
    own = metrics.get("population", {}).get(kind, {}).get("risk", {}).get("mean", {}).get("auc", {}).get("value")
    return {
        "least": found["least"],
        "baseline": baseline,
        "groups": groups,
        "regions": bool(found[kind]["region"]),
        "off": clauses(off),
        "judged": judged,
        "by_chance": judged * (1 - metrics["interval"]["level"]) if "interval" in metrics else None,
        "unknown": sum(row["auc"]["value"] is None for row in every),
        "plot": _plot(groups, own),
    }


def slice_name(name: str) -> str:
    """A kind of account of `models.slices` in the language spoken; a region's own name stays what it is."""
    if name in SLICES:
        return say(name)
    if others := re.fullmatch(r"(\d+) other regions", name):
        regions = int(others[1])
        return say_number("{n} other region", "{n} other regions", regions, n=count(regions))
    return name


def _slice(row: Mapping[str, Any]) -> dict[str, Any]:
    calibration = row["calibration"]
    low, high = calibration["gap"]["low"], calibration["gap"]["high"]
    off = ""
    if low is not None and high is not None:
        off = say("more lost than expected") if low > 0 else say("fewer lost than expected") if high < 0 else ""
    return {
        "name": slice_name(row["slice"]),
        "n": row["n"],
        "losses": row["losses"],
        "expected": row["expected"],
        "auc": row["models"]["risk"]["auc"],
        "lift": row["models"]["risk"]["lift_10"],
        "paired": {other: differences(cells)["auc"] for other, cells in row["paired"].items()},
        "predicted": calibration["predicted"]["value"],
        "observed": calibration["observed"],
        "off": off,
    }


def _plot(groups: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], mean: float | None) -> str:
    """AUC by slice with its interval; nothing where no slice has enough losses."""
    dots = [
        (head, [charts.Dot(row["name"], row["auc"]["value"], row["auc"]["low"], row["auc"]["high"]) for row in rows])
        for head, rows in groups
    ]
    known = [(dot.label, dot.value) for _, rows in dots for dot in rows if dot.value is not None]
    if not known:
        return ""
    lowest, highest = min(known, key=lambda item: item[1]), max(known, key=lambda item: item[1])
    spoken = say(
        "From {low} ({lowest}) to {high} ({highest}).",
        low=number(lowest[1], 3),
        lowest=lowest[0],
        high=number(highest[1], 3),
        highest=highest[0],
    )
    return charts.dots("slices", dots, mean, say("AUC of active accounts by kind of account, with intervals"), spoken)


def _calibration(
    predictions: pd.DataFrame, kind: str, cells: Mapping[str, Mapping[str, Any]]
) -> tuple[str, list[tuple[str, list[dict[str, Any]]]]]:
    """Plot of the model and of the baseline with the highest AUC, and its numbers; nothing without predictions."""
    known = predictions[predictions["label"].notna()]
    if kind == "active":
        known = known[~known["lapsed"].to_numpy(dtype=bool)]
    if known.empty:
        return "", []

    def auc(model: str) -> float:
        value = cells.get(model, {}).get("auc", {}).get("value")
        return -1.0 if value is None else float(value)

    baselines = [model for model in (cells or MODELS) if model != "risk" and model in known]
    shown = ["risk", *sorted(baselines, key=auc, reverse=True)[:1]]
    bins = min(BINS, len(known))
    curves = {
        model_name(model): reliability(known["label"].to_numpy(float), known[model].to_numpy(float), bins)
        for model in shown
    }
    table = [
        (name, [{str(key): float(value) for key, value in row.items()} for row in curve.to_dict("records")])
        for name, curve in curves.items()
    ]
    widest = {name: float(np.abs(curve["predicted"] - curve["observed"]).max()) for name, curve in curves.items()}
    spoken = [
        say("{model} at most {gap} points from what was observed", model=name, gap=points(gap, 1))
        for name, gap in widest.items()
    ]
    described = say("{findings}.", findings=clauses(spoken))
    return charts.calibration(f"calibration-{kind}", curves, say(CALIBRATIONS[kind]), described), table
