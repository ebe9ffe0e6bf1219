"""`docs/quality.md`: Holdfast against what people would pick, as `python -m benchmarks.quality` measured it, with a picture."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.quality_runs import AUTOGLUON, DFS, NETS, REFITTED, RFM, STACKED, TUNING, Result
from models.metrics import evaluate
from pipeline.frames import write_text
from pipeline.params import Evaluate

OURS = "risk"
BASELINES = {"bg_nbd": "BG/NBD", "rfm_logistic": "RFM logistic", "recency": "recency"}
NAMES = {"online_retail_ii": "Online Retail II", "iowa": "Iowa, one manufacturer", "iowa_state": "Iowa, all trade"}


@dataclass(frozen=True)
class Page:
    """What was measured, ready to be told."""

    results: Sequence[Result]
    titles: Mapping[str, str]  # of the rivals, by column
    given: Evaluate
    clock: Mapping[str, Any] | None  # of `wall_time`
    arguments: Sequence[str]

    @cached_property
    def names(self) -> dict[str, str]:
        """Columns set against ours, in the order of the table, with their titles."""
        named = {}
        for name, title in self.titles.items():
            named[name] = title
            named[name + REFITTED] = f"{title}, refitted"
        present = set().union(*(result.predictions.columns for result in self.results))
        return {name: title for name, title in {**named, **BASELINES}.items() if name in present}

    @cached_property
    def found(self) -> dict[str, dict[str, Any]]:
        """What `models.metrics.evaluate` says of each source."""
        sure = (self.given.bootstrap, self.given.level, self.given.seed)
        return {
            result.source: evaluate(
                result.predictions, [OURS, *(name for name in self.names if name in result.predictions)], *sure
            )
            for result in self.results
        }

    @property
    def development(self) -> bool:
        return "--development" in self.arguments

    def rows(self, result: Result) -> list[str]:
        """The table of one source."""
        found = self.found[result.source]
        lines = [
            "| | AUC | Holdfast's less its | Brier | Holdfast's less its | ECE | processor seconds |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, title in {OURS: "**Holdfast**", **self.names}.items():
            if name not in found["population"]["all"]:
                continue
            mean = found["population"]["all"][name]["mean"]
            less = {"auc": "", "brier": ""}
            if name != OURS:
                paired = found["paired"]["all"][name]["mean"]
                less = {metric: _signed(paired[metric]) for metric in less}
            seconds = result.seconds.get(name)
            lines.append(
                f"| {title} | {_cell(mean['auc'])} | {less['auc']} | {mean['brier']['value']:.4f} | {less['brier']} "
                f"| {mean['ece']['value']:.3f} | {'' if seconds is None else f'{seconds:,.0f}'} |"
            )
        return lines

    def text(self) -> str:
        """The page as Markdown."""
        versions: dict[str, str] = {}
        for result in self.results:
            versions |= result.versions
        lines = [
            "# Against what people would pick",
            "",
            *(["*Development cut-offs, on which choices were made: not for `docs/`.*", ""] if self.development else []),
            "The same accounts at the same test cut-offs, from the raw files to the risk of each, by Holdfast's recipe and by what",
            "else is at hand. This page is written by",
            "",
            "<!-- not run: it takes an hour, real data and the rivals' own environment -->",
            "```sh",
            _command(self.arguments),
            "```",
            "",
            f"(`make quality` makes the rivals' environment first.) Measured on {_machine()}; Holdfast {version('holdfast')}, "
            f"{', '.join(f'{name} {number}' for name, number in sorted(versions.items()))}.",
            "",
            f"In brackets the {self.given.level:.0%} interval by {self.given.bootstrap} resamples of the accounts, each with all of its rows, the same for both "
            "sides of a difference. A difference in AUC above zero and one in Brier score below zero speak for Holdfast.",
            "",
            "![Difference in AUC to each](quality.png)",
            "",
        ]
        for result in self.results:
            mean = self.found[result.source]["population"]["all"][OURS]["mean"]
            days = sorted({str(day) for day in result.predictions["as_of"]})
            lines += [
                f"## {NAMES[result.source]}",
                "",
                f"Cut-offs {', '.join(days)}: {mean['n']:,} rows, {mean['losses']:,} losses; means over the cut-offs.",
                "",
                *self.rows(result),
                "",
            ]
        return "\n".join([*lines, *self._how(), *self._wall_time()])

    def _how(self) -> list[str]:
        trees = any("trees" in title for title in self.titles.values())
        nets = f" Its neural nets ({', '.join(NETS)}) are left out there (`--trees-only`)." if trees else ""
        return [
            "## How the rivals were run",
            "",
            "- No rival reads a label that had not matured at the test cut-off, nor any label of the test rows.",
            f"- AutoGluon: preset `{AUTOGLUON['preset']}`, `eval_metric` `{AUTOGLUON['eval_metric']}`, no time limit unless the command has one. Of the "
            f"latest {STACKED} matured cut-offs it chooses and weighs its models on the last {TUNING} and learns from those whose labels had matured before "
            "them, as when Holdfast measures the spread of its risks: labels of neighbouring cut-offs overlap, and with no gap between it chose the forests that know accounts "
            "by heart. *Refitted*: the same models fitted again on all, so that the latest months are not lost."
            f"{nets} *Latest cut-off*: of that one alone, with its own random holdout.",
            "- CatBoost: its defaults, on the same stacked cut-offs.",
            f"- *Our features*: every feature of Holdfast's matrix. *RFM*: {', '.join(f'`{name}`' for name in RFM)}. *DFS*: featuretools over accounts "
            f"and orders, {len(DFS['primitives'])} aggregations to depth {DFS['depth']}, over all time and the last 90 days, strictly before the cut-off.",
            "- BG/NBD, RFM logistic and recency are the baselines of `models/baselines.py`.",
            "- Processor seconds: from the raw files to the risks at one cut-off, the mean over the cut-offs, of all processors together; "
            "other work on the machine hardly changes them. Holdfast's hold the spread of its risks and the baselines.",
            "",
        ]

    def _wall_time(self) -> list[str]:
        if self.clock is None:
            return ["Wall time was not measured: give `--wall-time SOURCE`.", ""]
        clock = self.clock
        return [
            "## Wall time",
            "",
            f"{NAMES[clock['source']]}, one after the other in one run on a machine with a load of {clock['load_before']:.1f} before and "
            f"{clock['load_after']:.1f} after. AutoGluon: one fit of the same preset at its own budget, no time limit and all of its models, on "
            f"{clock['rows']:,} rows of our features.",
            "",
            "| | wall seconds | processor seconds |",
            "|---|---|---|",
            *(
                f"| {title} | {clock[name]['wall']:,.0f} | {clock[name]['processor']:,.0f} |"
                for name, title in {
                    "ingest": "`holdfast ingest`",
                    "featurize": "`holdfast featurize`",
                    "train": "`holdfast train`: risk, causes, MLflow",
                    "evaluate": "`holdfast evaluate`: the recipe refitted at each test cut-off, intervals, gate",
                    "autogluon": "AutoGluon, one fit and prediction",
                }.items()
            ),
            "",
            f"AutoGluon's one fit takes {clock['ratio']['wall']:.1f} times as long as Holdfast's training with evaluation "
            f"({clock['ratio']['processor']:.1f} times the processor seconds).",
            "",
        ]

    def picture(self, path: Path) -> None:
        """Holdfast's AUC less each other's, with intervals, a panel a source."""
        from matplotlib.figure import Figure

        names = list(self.names)[::-1]
        figure = Figure(figsize=(4 + 2.6 * len(self.results), 1.2 + 0.34 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(self.results), sharey=True, squeeze=False)[0]
        for axes, result in zip(panels, self.results, strict=True):
            paired = self.found[result.source]["paired"]["all"]
            for place, name in enumerate(names):
                if name in paired:
                    auc = paired[name]["mean"]["auc"]
                    axes.plot([auc["low"], auc["high"]], [place, place], color="C0", linewidth=2)
                    axes.plot(auc["value"], place, "o", color="C0", markersize=5)
            axes.axvline(0, color="grey", linewidth=1)
            axes.set(title=NAMES[result.source], xlabel="Holdfast's AUC less its")
            axes.set_yticks(range(len(names)), [self.names[name] for name in names])
            axes.spines[["top", "right"]].set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, metadata={"Software": None})

    def write(self, folder: Path) -> None:
        """Write `quality.md` and `quality.png`."""
        write_text(self.text(), folder / "quality.md")
        self.picture(folder / "quality.png")


def _cell(found: Mapping[str, float]) -> str:
    return f"{found['value']:.4f} ({found['low']:.4f} to {found['high']:.4f})"


def _signed(found: Mapping[str, float]) -> str:
    return f"{found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def _command(arguments: Sequence[str]) -> str:
    """As typed, but for where the data and the environment lie."""
    kept: list[str] = []
    skip = False
    for word in arguments:
        if skip or word.split("=")[0] in ("--data", "--python"):
            skip = not skip and "=" not in word
            continue
        kept.append(word)
    return " ".join(["python -m benchmarks.quality", *kept])


def _machine() -> str:
    model = ""
    path = Path("/proc/cpuinfo")
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} processors ({model or platform.machine()}), Python {platform.python_version()}"
