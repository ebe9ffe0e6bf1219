"""Small charts of monitoring as inline SVG: histograms before and now, spans, lines over the scorings kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup, escape

from reports.language import say
from reports.words import clauses, day, number, percent, significant

WIDTH = 300
HISTOGRAM, TIMELINE, SPAN = 118, 150, 40  # heights
MARGIN = 16  # for the slanted label of the first bin
BEFORE, NOW = "grey", "accent"


@dataclass(frozen=True)
class Span:
    """A value with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A value a scoring; None where it is not known."""

    name: str
    values: Sequence[float | None]


def histogram(key: str, edges: Sequence[float], before: Sequence[float], now: Sequence[float], title: str) -> Markup:
    """Two bars a bin of `models.drift.Bins`, before beside now, the share of accounts each; the last bin is missing.

    Bins that are empty in both are left out. `key` starts the ids and differs between the charts of a page.
    """
    names = [*_intervals(edges), say("no value")]
    rows = [row for row in zip(names, before, now, strict=True) if row[1] or row[2]]
    top = max((share for row in rows for share in row[1:]), default=0.0) or 1.0
    step, floor, roof = (WIDTH - MARGIN) / max(len(rows), 1), HISTOGRAM - 34, 14
    parts = []
    for place, (name, first, second) in enumerate(rows):
        left = MARGIN + place * step
        for share, color, offset in ((first, BEFORE, 0.1), (second, NOW, 0.5)):
            height = share / top * (floor - roof)
            parts.append(
                f'<rect x="{left + offset * step:.1f}" y="{floor - height:.1f}" width="{0.38 * step:.1f}" '
                f'height="{height:.1f}" fill="var(--{color})"/>'
            )
        x, y = left + step / 2, floor + 9
        parts.append(
            f'<text x="{x:.1f}" y="{y}" font-size="8" text-anchor="end" transform="rotate(-40 {x:.1f} {y})" '
            f'fill="var(--muted)">{escape(name)}</text>'
        )
    parts.append(f'<line x1="0" x2="{WIDTH}" y1="{floor}" y2="{floor}" stroke="var(--line)"/>')
    largest = say("largest bin {share}", share=percent(top))
    parts.append(f'<text x="0" y="9" font-size="9" fill="var(--muted)">{escape(largest)}</text>')
    told = clauses([_then_and_now(name, first, second) for name, first, second in rows])
    return _svg(key, HISTOGRAM, title, told, parts)


def _intervals(edges: Sequence[float]) -> list[str]:
    """What each bin holds, by its upper edge."""
    if not edges:
        return [say("any")]
    return [f"≤ {_short(edge)}" for edge in edges] + [f"> {_short(edges[-1])}"]


def _short(value: float) -> str:
    return number(value, 0) if abs(value) >= 100 else significant(value, 2) if value else "0"


def spans(key: str, rows: Sequence[tuple[str, Span, Span]], title: str) -> Markup:
    """A row a name: the value before above the value now, each a dot on its interval."""
    top = max((span.high for _, *pair in rows for span in pair), default=0.0) or 1.0
    width, height = 2 * WIDTH, SPAN * len(rows) + 4
    parts = []
    for place, (name, before, now) in enumerate(rows):
        y = place * SPAN
        shown = f"{percent(before.value)} → {percent(now.value)}"
        parts.append(f'<text x="0" y="{y + 13}" font-size="13" fill="var(--ink)">{escape(name)}</text>')
        parts.append(
            f'<text x="{width}" y="{y + 13}" font-size="13" text-anchor="end" fill="var(--muted)">{escape(shown)}</text>'
        )
        for span, color, line in ((before, BEFORE, y + 21), (now, NOW, y + 29)):
            low, high, middle = (edge / top * (width - 8) + 4 for edge in (span.low, span.high, span.value))
            parts.append(
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{line}" y2="{line}" stroke="var(--{color})" stroke-width="2"/>'
                f'<circle cx="{middle:.1f}" cy="{line}" r="3.5" fill="var(--{color})"/>'
            )
    told = clauses([_then_and_now(name, before.value, now.value) for name, before, now in rows])
    return _svg(key, height, title, told, parts, width)


def timeline(
    key: str, days: Sequence[date], lines: Sequence[Line], write: Callable[[float], str], title: str
) -> Markup:
    """Up to two lines over the days, from zero where values are near it; a value that is not known leaves a gap."""
    known = [value for line in lines for value in line.values if value is not None]
    low, high = min(known), max(known)
    low = 0.0 if low < 0.6 * high else low - 0.2 * (high - low or high or 1.0)
    high = high + 0.1 * (high - low or 1.0)
    left, right, roof, floor = 44, WIDTH - 10, 20, TIMELINE - 20
    length = (days[-1] - days[0]).days or 1

    def at(place: int, value: float) -> tuple[float, float]:
        x = left + (days[place] - days[0]).days / length * (right - left)
        return x, floor - (value - low) / (high - low) * (floor - roof)

    parts = []
    for share in (0.0, 0.5, 1.0):
        value = low + share * (high - low)
        y = at(0, value)[1]
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
            f'<text x="{left - 5}" y="{y + 3:.1f}" font-size="9" text-anchor="end" fill="var(--muted)">{escape(write(value))}</text>'
        )
    for number_, (line, color) in enumerate(zip(lines, (NOW, "second"), strict=False)):
        points = [at(place, value) for place, value in enumerate(line.values) if value is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="5 3"' if number_ else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="var(--{color})" stroke-width="1.8"{dashes}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="var(--{color})"/>' for x, y in points]
        parts.append(
            f'<text x="{left + number_ * (right - left) / 2:.1f}" y="11" font-size="10" fill="var(--{color})">'
            f"{'– –' if number_ else '––'} {escape(line.name)}</text>"
        )
    for place, anchor in ((0, "start"), (len(days) - 1, "end")):
        x = left if anchor == "start" else right
        parts.append(
            f'<text x="{x}" y="{TIMELINE - 5}" font-size="9" text-anchor="{anchor}" fill="var(--muted)">{escape(day(days[place]))}</text>'
        )
    told = clauses(
        [
            say("{name}, {day}: {value}", name=line.name, day=day(when), value=write(value))
            for line in lines
            for when, value in zip(days, line.values, strict=True)
            if value is not None
        ]
    )
    return _svg(key, TIMELINE, title, told, parts)


def _then_and_now(name: str, before: float, now: float) -> str:
    return say("{name}: {before} before, {now} now", name=name, before=percent(before), now=percent(now))


def _svg(key: str, height: int, title: str, description: str, parts: Sequence[str], width: int = WIDTH) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )
