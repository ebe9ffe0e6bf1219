"""What an account bought by period, as a chart: one rectangle a period, so that thousands of pages are quickly drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from features.periods import Duration
from reports.language import say
from reports.words import clauses, day, money, month

if TYPE_CHECKING:
    from reports.site import Site

WIDTH, HEIGHT = 720, 150
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 20, 24
LABELS = 6  # of periods under the bars, at most
ROOM = 56  # half the width of the longest label


def of(purchases: Sequence[Mapping[Any, Any]], site: Site, period: Duration) -> dict[str, Any] | None:
    """Chart and rows of the periods up to the cut-off; None of an account without purchases in them.

    `purchases`: periods_ago, amount and order_days; a period without a row had no purchase.
    """
    if not purchases:
        return None
    periods = int(site.decided["history_periods"])
    known = {int(row["periods_ago"]): row for row in purchases}
    rows: list[dict[str, Any]] = []
    for ago in range(periods, 0, -1):
        row = known.get(ago, {})
        start = period.before(site.as_of, ago)
        rows.append(
            {"start": start, "amount": float(row.get("amount", 0.0)), "order_days": int(row.get("order_days", 0))}
        )
    write = month if period.unit == "month" and site.as_of.day == 1 else day
    for row in rows:
        row["day"] = write(row["start"])
    return {"plot": _plot(rows, site.currency, day(site.as_of)), "rows": rows}


def _plot(rows: Sequence[Mapping[str, Any]], currency: str, cutoff: str) -> Markup:
    top = max(max(row["amount"] for row in rows), 0.0)
    low = min(min(row["amount"] for row in rows), 0.0)
    span = (top - low) or 1.0
    step = (WIDTH - LEFT - RIGHT) / len(rows)
    scale = (HEIGHT - TOP - BOTTOM) / span
    zero = TOP + top * scale
    bars = []
    every = -(-len(rows) // LABELS)
    for place, row in enumerate(rows):
        left, height = LEFT + place * step, abs(row["amount"]) * scale
        upper = zero - height if row["amount"] >= 0 else zero
        if row["amount"]:
            bars.append(
                f'<rect x="{left + step * 0.12:.1f}" y="{upper:.1f}" width="{step * 0.76:.1f}" height="{height:.1f}" '
                f'fill="var(--{"accent" if row["amount"] > 0 else "second"})"/>'
            )
        if place % every == every // 2:
            middle = min(max(left + step / 2, ROOM), WIDTH - ROOM)  # a word at the edge is not cut off
            bars.append(
                f'<text x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle" font-size="12" '
                f'fill="var(--muted)">{escape(row["day"])}</text>'
            )
    edge = WIDTH - RIGHT
    largest, title = say("largest: {amount}", amount=money(top, currency)), say("Purchases by period")
    marks = (
        f'<line x1="{LEFT}" x2="{edge}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="var(--line)"/>'
        f'<line x1="{edge}" x2="{edge}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="var(--second)" stroke-dasharray="4 3"/>'
        f'<text x="{LEFT}" y="13" font-size="12" fill="var(--muted)">'
        f"{escape(largest)}</text>"
        f'<text x="{edge}" y="13" text-anchor="end" font-size="12" fill="var(--second)">{escape(cutoff)}</text>'
    )
    spoken = clauses([f"{row['day']}: {money(row['amount'], currency)}" for row in rows if row["amount"]])
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="history-title history-desc">'
        f'<title id="history-title">{escape(title)}</title>'
        f'<desc id="history-desc">{escape(spoken)}</desc>{"".join(bars)}{marks}</svg>'
    )
