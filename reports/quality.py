"""What the page tells of how far the risk can be trusted: past cut-offs, kinds of accounts, the champion, and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.metrics import BINS, reliability
from reports import charts
from reports.measures import METRICS, MODELS, POPULATIONS, differences, sentence
from reports.words import number

DIMENSIONS = {"tier": "Purchases of twelve months", "region": "Region", "age": "Since the first order"}


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
        row["sentence"] = sentence(MODELS.get(row["model"], row["model"]), row["differences"])
    plot, curves = _calibration(predictions, kind, cells)
    return {
        "key": kind,
        "name": POPULATIONS[kind],
        "n": own.get("n", 0),
        "losses": own.get("losses", 0),
        "cutoffs": cutoffs,
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
        return {"version": found["version"], "why": found["why"], "rows": []}
    rows = [
        {
            "name": POPULATIONS[kind],
            "own": found["population"][kind]["risk"]["mean"]["auc"],
            "other": found["population"][kind]["champion"]["mean"]["auc"],
            "differences": differences(others["champion"]["mean"]),
        }
        for kind, others in found["paired"].items()
    ]
    told = found["reasons"]
    return {
        "version": found["version"],
        "compared": found["compared"],
        "why": found["why"],
        "cutoffs": found["cutoffs"],
        "rows": rows,
        "paired_metrics": list(rows[0]["differences"]),
        "accounts": told["accounts"],
        "changed": told["all"],
        "changed_large": told["large"],
    }


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
            "name": POPULATIONS[kind],
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
        side = "too low" if bias < 0 else "too high"
        said.append(
            f"{POPULATIONS[kind]}: expected AUC {number(auc['value'], 3)}, {number(auc['low'], 3)} to "
            f"{number(auc['high'], 3)} by chance alone. At the test cut-offs such an estimate was off by "
            f"{number(error, 3)} on average ({number(abs(bias), 3)} {side} on balance), and the outcome lay within that "
            f"range at {past[kind]['inside']['auc']} of {known}."
        )
    return said


def slices(metrics: Mapping[str, Any], kind: str = "active") -> dict[str, Any] | None:
    """Quality by kind of account, of active accounts: rows of a table by dimension, and a plot of AUC."""
    found = metrics.get("slices")
    if not found or not any(found[kind].values()):
        return None
    groups = [(DIMENSIONS[name], [_slice(row) for row in rows]) for name, rows in found[kind].items() if rows]
    baseline = next(iter(groups[0][1][0]["paired"]), None)
    every = [row for _, rows in groups for row in rows]
    off = [f"{head}, {row['name']} ({row['off']})" for head, rows in groups for row in rows if row["off"]]
    judged = sum(row["observed"]["value"] is not None for row in every)
    own = metrics.get("population", {}).get(kind, {}).get("risk", {}).get("mean", {}).get("auc", {}).get("value")
    return {
        "least": found["least"],
        "baseline": baseline,
        "groups": groups,
        "regions": bool(found[kind]["region"]),
        "off": off,
        "judged": judged,
        "by_chance": judged * (1 - metrics["interval"]["level"]) if "interval" in metrics else None,
        "unknown": sum(row["auc"]["value"] is None for row in every),
        "plot": _plot(groups, own),
    }


def _slice(row: Mapping[str, Any]) -> dict[str, Any]:
    calibration = row["calibration"]
    low, high = calibration["gap"]["low"], calibration["gap"]["high"]
    off = low is not None and high is not None and (low > 0 or high < 0)
    return {
        "name": row["slice"],
        "n": row["n"],
        "losses": row["losses"],
        "expected": row["expected"],
        "auc": row["models"]["risk"]["auc"],
        "lift": row["models"]["risk"]["lift_10"],
        "paired": {other: differences(cells)["auc"] for other, cells in row["paired"].items()},
        "predicted": calibration["predicted"]["value"],
        "observed": calibration["observed"],
        "off": "" if not off else "more lost than expected" if low > 0 else "fewer lost than expected",
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
    spoken = f"From {number(lowest[1], 3)} ({lowest[0]}) to {number(highest[1], 3)} ({highest[0]})."
    return charts.dots("slices", dots, mean, "AUC of active accounts by kind of account, with intervals", spoken)


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
        MODELS.get(model, model): reliability(known["label"].to_numpy(float), known[model].to_numpy(float), bins)
        for model in shown
    }
    table = [
        (name, [{str(key): float(value) for key, value in row.items()} for row in curve.to_dict("records")])
        for name, curve in curves.items()
    ]
    widest = {name: float(np.abs(curve["predicted"] - curve["observed"]).max()) for name, curve in curves.items()}
    spoken = "; ".join(f"{name} at most {gap * 100:.1f} points from what was observed" for name, gap in widest.items())
    title = f"Calibration, {POPULATIONS[kind].lower()}: predicted risk against share lost"
    return charts.calibration(f"calibration-{kind}", curves, title, f"{spoken}."), table
