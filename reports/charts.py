"""Charts as inline SVG: text stays text, colours are variables of the page, and the same data give the same bytes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports import words
from reports.language import say

# matplotlib knows colours only, the page light and dark: each stand-in becomes a variable of the style sheet.
INK, MUTED, LINE, ACCENT, SECOND, GREY = ("#010101", "#020202", "#030303", "#040404", "#050505", "#060606")
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SECOND: "second", GREY: "grey"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "holdfast",
    "text.parse_math": False,  # a name with two dollar signs is a name
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.labelcolor": INK,
}
_ROW = 0.46  # inches: a line of text and its bar
_LINE = 0.24  # inches: a line of text
_LABEL = 26  # letters beside a plot
_MARKS = ((ACCENT, "o", "-"), (SECOND, "s", "--"))
_LINES = ((ACCENT, "-"), (SECOND, "--"), (MUTED, "-."))

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """A horizontal bar; a muted one is grey."""

    label: str
    value: float
    shown: str
    muted: bool = False


def bars(key: str, rows: Sequence[Bar], title: str, description: str) -> Markup:
    """Horizontal bars from the top down, each under its label and value, so that it can be read when narrow.

    `key` starts the ids within the SVG and must differ between the charts of a page.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, _ROW * max(len(rows), 1)))
        axes = figure.add_axes((0.005, 0.0, 0.99, 1.0))
        axes.set_axis_off()
        axes.set_ylim(max(len(rows), 1), 0)
        largest = max((row.value for row in rows), default=0.0)
        axes.set_xlim(0, largest if largest > 0 else 1.0)
        for place, row in enumerate(rows):
            axes.barh(place + 0.72, row.value, height=0.3, color=GREY if row.muted else ACCENT)
            axes.text(0, place + 0.45, row.label, color=MUTED if row.muted else INK)
            axes.text(1, place + 0.45, row.shown, color=MUTED, ha="right", transform=axes.get_yaxis_transform())
        return _inline(figure, key, title, description)


def steps(
    key: str, rows: Sequence[tuple[str, float]], shown: Callable[[float], str], title: str, description: str
) -> Markup:
    """A sum, the steps from it, and the sum they lead to, each under its label from the top down (a waterfall).

    `rows`: (label, value); the first and the last are sums, those between are steps that add up. `key` as in `bars`.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, _ROW * len(rows)))
        axes = figure.add_axes((0.005, 0.0, 0.99, 1.0))
        axes.set_axis_off()
        axes.set_ylim(len(rows), 0)
        reached, ends = 0.0, [0.0]
        for place, (label, value) in enumerate(rows):
            whole = place in (0, len(rows) - 1)
            start = 0.0 if whole else reached
            reached = start + value
            ends += [start, reached]
            color = ACCENT if whole else SECOND if value > 0 else GREY
            axes.barh(place + 0.72, value, left=start, height=0.3, color=color)
            axes.text(0, place + 0.45, label, color=INK if whole else MUTED, transform=axes.get_yaxis_transform())
            sign = "+" if value > 0 and not whole else ""
            axes.text(
                1, place + 0.45, f"{sign}{shown(value)}", color=MUTED, ha="right", transform=axes.get_yaxis_transform()
            )
        low, high = min(ends), max(ends)
        axes.set_xlim(low, high if high > low else low + 1.0)
        return _inline(figure, key, title, description)


@dataclass(frozen=True)
class Dot:
    """A value with its interval; nothing but the label where it is not known."""

    label: str
    value: float | None
    low: float | None
    high: float | None


def dots(
    key: str, groups: Sequence[tuple[str, Sequence[Dot]]], line: float | None, title: str, description: str
) -> Markup:
    """Values with their intervals from the top down, under the head of their group; a line at what they are held against.

    At least one value must be known. `key` as in `bars`.
    """
    lines: list[str | Dot] = []
    for head, rows in groups:
        lines += [head, *rows]
    known = [edge for item in lines if isinstance(item, Dot) for edge in (item.low, item.value, item.high)]
    edges = [edge for edge in (*known, line) if edge is not None]
    margin = max(0.06 * (max(edges) - min(edges)), 0.005)
    with matplotlib.rc_context(_STYLE):
        height = _LINE * len(lines) + 0.35
        figure = Figure(figsize=(4.8, height))
        axes = figure.add_axes((0.40, 0.35 / height, 0.575, 1 - 0.35 / height))
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.set_xlim(min(edges) - margin, max(edges) + margin)
        if line is not None:
            axes.axvline(line, color=GREY, linewidth=1)
        label: dict[str, Any] = {"ha": "left", "va": "center", "transform": axes.get_yaxis_transform()}
        for place, item in enumerate(lines):
            if isinstance(item, str):
                axes.text(-0.69, place, item, color=MUTED, **label)
                continue
            axes.text(-0.66, place, _short(item.label), color=INK if item.value is not None else MUTED, **label)
            if item.low is not None and item.high is not None:
                axes.plot([item.low, item.high], [place, place], color=ACCENT, linewidth=1.5)
            if item.value is not None:
                axes.plot(item.value, place, color=ACCENT, marker="o", markersize=5)
        axes.set_yticks([])
        axes.grid(axis="x", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        return _inline(figure, key, title, description)


def _short(label: str) -> str:
    """The label cut to what its place holds."""
    return label if len(label) <= _LABEL else f"{label[: _LABEL - 1].rstrip()}…"


def calibration(key: str, curves: Mapping[str, pd.DataFrame], title: str, description: str) -> Markup:
    """Predicted risk against the share that was lost: one curve a model, each from `metrics.reliability`.

    `curves` holds one or two tables with columns predicted and observed; `key` as in `bars`.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.8, 4.2))
        axes = figure.add_axes((0.165, 0.125, 0.785, 0.855))
        top = max(float(curve[["predicted", "observed"]].max().max()) for curve in curves.values())
        limit = min(max(top * 1.08, 0.02), 1.0)
        axes.plot([0, limit], [0, limit], color=GREY, linewidth=1, label=say("predicted = observed"))
        for (name, curve), (color, marker, line) in zip(curves.items(), _MARKS, strict=False):
            axes.plot(
                curve["predicted"],
                curve["observed"],
                color=color,
                marker=marker,
                markersize=5,
                linestyle=line,
                linewidth=1.5,
                clip_on=False,
                label=name,
            )
        _square(axes, limit)
        axes.set_xlabel(say("Predicted risk"))
        axes.set_ylabel(say("Share that was lost"))
        axes.legend(loc="upper left", frameon=False)
        return _inline(figure, key, title, description)


def ranks(key: str, placed: pd.DataFrame, title: str, description: str) -> Markup:
    """A line for each account from its rank in the first column of `placed` to those in the others, 1 on top.

    All lines are faint but those of the accounts in the first column's riskiest tenth. At most 400 are drawn, evenly
    spread over the ranks. `key` as in `bars`.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.8, 4.2))
        axes = figure.add_axes((0.14, 0.09, 0.79, 0.88))
        rows = placed.sort_values(placed.columns[0]).to_numpy(dtype=np.float64)
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 400)).round().astype(int))
        places = np.arange(placed.shape[1])
        for row in rows[chosen][::-1]:  # the riskiest above the others
            risky = row[0] <= np.ceil(0.1 * len(rows))
            axes.plot(places, row, color=SECOND if risky else GREY, alpha=0.7 if risky else 0.25, linewidth=0.7)
        axes.set_ylim(len(rows) + 0.5, 0.5)
        axes.set_xlim(-0.12, places[-1] + 0.12)
        axes.set_xticks(places, [str(name) for name in placed.columns])
        axes.set_ylabel("Rank, 1 the riskiest")
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
        return _inline(figure, key, title, description)


def profit(
    key: str,
    curves: Mapping[str, tuple[FloatArray, FloatArray]],
    band: tuple[FloatArray, FloatArray, FloatArray],
    best: float,
    title: str,
    description: str,
) -> Markup:
    """Profit by how many are contacted: up to three curves of (contacts, money), the first with its interval.

    `band`: contacts, low, high. `best`: the number contacted, drawn as a line; the axes show what lies around it.
    `key` as in `bars`.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.8, 4.2))
        axes = figure.add_axes((0.185, 0.125, 0.785, 0.7))
        contacts, money = next(iter(curves.values()))
        right = min(max(4 * best, 0.02 * contacts[-1], 4.0), contacts[-1])
        shown = contacts <= right
        axes.fill_between(*band, color=ACCENT, alpha=0.15, linewidth=0)
        for (name, (x, y)), (color, line) in zip(curves.items(), _LINES, strict=False):
            axes.plot(x, y, color=color, linestyle=line, linewidth=1.5, label=name)
        axes.axhline(0, color=GREY, linewidth=1)
        axes.axvline(best, color=MUTED, linewidth=1, linestyle=":")
        top = max(float(band[2][shown].max()), float(money[shown].max()), 1.0)
        axes.set_xlim(0, right)
        axes.set_ylim(min(max(float(band[1][shown].min()), -top), -0.1 * top), 1.05 * top)
        axes.set_xlabel(say("Active accounts contacted at a cut-off"))
        axes.set_ylabel(say("Profit"))
        axes.grid(color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_formatter(lambda value, _: words.money(value))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.0, frameon=False)
        return _inline(figure, key, title, description)


def _square(axes: Axes, limit: float) -> None:
    axes.set_xlim(0, limit)
    axes.set_ylim(0, limit)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: words.exact_percent(value, 0 if limit > 0.1 else 1))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _inline(figure: Figure, key: str, title: str, description: str) -> Markup:
    """The figure as an SVG element that may stand in a page beside others."""
    buffer = StringIO()
    with warnings.catch_warnings():
        # The browser draws the text in its own fonts: what matplotlib's font lacks matters to nobody.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        nothing = {"Creator": None, "Date": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # Comments and `*` rules would reach the page, and the metadata name addresses. Text is escaped: "<" opens a tag.
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style\b.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", lambda tag: _own(tag[0], key), svg)
    head = f'<svg role="img" aria-labelledby="{key}-title {key}-desc" '
    words = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
    svg = re.sub(r"^<svg ([^>]*)>", lambda tag: f"{head}{tag[1]}>{words}", svg)
    return Markup(svg)


def _own(tag: str, key: str) -> str:
    """The tag with the page's colours, ids of its own and without what belongs to a file of its own."""
    for color, variable in _VARIABLES.items():
        tag = tag.replace(color, f"var(--{variable})")
    tag = re.sub(r'\bid="', f'id="{key}-', tag)
    tag = tag.replace("url(#", f"url(#{key}-").replace('xlink:href="#', f'href="#{key}-')
    if tag.startswith("<svg"):
        tag = re.sub(r'\s(?:xmlns:xlink|width|height|version)="[^"]*"', "", tag)
    return tag
