"""Charts: bars of steps start where the last ended, and the same rows give the same picture."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import svgs

from reports import charts
from reports.words import money

WATERFALL = [("then", 100.0), ("gone", -40.0), ("new", 25.0), ("risk", -90.0), ("now", -5.0)]
COLOURS = ("accent", "second", "grey")


def drawn(rows: list[tuple[str, float]]) -> str:
    return str(charts.steps("change", rows, money, "Title", "Words"))


def bars(svg: str) -> list[tuple[float, float, str]]:
    """From where to where each bar goes, in pixels, and its colour, from the top down."""
    found = []
    path = r'<path d="([^"]*)"[^>]*style="fill: var\(--(\w+)\)'
    for line, colour in re.findall(path, svg):
        x = [float(value) for value in re.findall(r"[ML] (-?[\d.]+) -?[\d.]+", line)]
        found.append((x[0], x[1], colour))
    return found


def test_a_bar_starts_where_the_last_ended_and_sums_start_at_zero():
    svg = drawn(WATERFALL)
    found = bars(svg)
    assert len(found) == len(WATERFALL)
    scale = (found[0][1] - found[0][0]) / 100.0
    zero = found[0][0]
    reached = [(start - zero) / scale for start, _, _ in found], [(end - zero) / scale for _, end, _ in found]
    assert reached[0] == pytest.approx([0, 100, 60, 85, 0], abs=1e-3)
    assert reached[1] == pytest.approx([100, 60, 85, -5, -5], abs=1e-3)


def test_sums_rises_and_falls_have_colours_of_their_own():
    assert [colour for _, _, colour in bars(drawn(WATERFALL))] == ["accent", "grey", "second", "grey", "accent"]


def test_labels_and_amounts_stand_beside_the_bars_with_a_plus_for_rises_alone():
    spoken = [text for text in svgs(drawn(WATERFALL))[0].itertext() if text.strip()]
    texts = " | ".join(text.strip() for text in spoken)
    assert texts.startswith("Title | Words")
    assert [name for name, _ in WATERFALL if f"| {name} |" not in texts] == []
    assert "+25" in texts
    assert "+100" not in texts
    assert "−40" in texts


@settings(max_examples=10)
@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=6), st.floats(0, 1e6))
def test_any_steps_lie_within_the_picture(changes, first):
    rows = [("then", first), *((str(n), value) for n, value in enumerate(changes)), ("now", first + sum(changes))]
    svg = drawn(rows)
    width = float(svgs(svg)[0].get("viewBox", "").split()[2])
    assert len(bars(svg)) == len(rows)
    assert all(-0.5 <= edge <= width + 0.5 for start, end, _ in bars(svg) for edge in (start, end))


def test_sums_of_nothing_are_a_picture_too():
    assert svgs(drawn([("then", 0.0), ("now", 0.0)]))[0].get("role") == "img"


@pytest.mark.parametrize(
    "draw", [drawn, lambda rows: str(charts.bars("b", [charts.Bar(*row, "") for row in rows], "T", "D"))]
)
def test_the_same_rows_give_the_same_picture_in_colours_of_the_page(draw):
    svg = draw(WATERFALL)
    assert svg == draw(list(WATERFALL))
    assert set(re.findall(r"var\(--(\w+)\)", svg)) <= {*COLOURS, "ink", "muted", "line"}
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]", svg)


def test_ids_are_of_the_chart_alone():
    first, second = (str(charts.steps(key, WATERFALL, money, "T", "D")) for key in ("one", "two"))
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
