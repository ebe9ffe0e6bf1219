"""What the page tells of kinds of accounts, of the champion, and of a scoring nobody knows the outcome of."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from test_page import HOSTILE, MODELS, Reader, predictions_of, render, report, says_nothing_empty, svgs

from models import label_free, slices
from models.metrics import evaluate
from reports.quality import SLICES, champion, expected, slice_name
from reports.words import count

__all__ = ["report"]  # a fixture


def section(html: str, name: str) -> str:
    """The words of a section, up to the next heading."""
    part = html[html.index(f'<h3 id="{name}-heading"') :]
    return Reader(part[: part.index("</section>")]).text


@pytest.fixture(scope="module")
def page(report):
    return render(report)


def sliced(report, **columns):
    changed = report.predictions.assign(**columns)
    return replace(report, metrics={**report.metrics, "slices": slices.by_slice(changed, MODELS[:2], 20, 0.95, 1)})


def test_every_kind_stands_with_its_counts_and_its_auc(report, page):
    words = section(page, "slices")
    for rows in report.metrics["slices"]["active"].values():
        for row in rows:
            assert f"{row['slice']} {row['n']} {row['losses']} {round(row['expected'])}" in words
    auc = [row["models"]["risk"]["auc"]["value"] for row in report.metrics["slices"]["active"]["region"]]
    assert all(f"{value:.3f}" in words for value in auc if value is not None)
    assert any(value is not None for value in auc)
    assert "less BG/NBD, the best baseline, in AUC" in words
    assert "no region" in words


def test_a_kind_whose_risk_is_off_is_named_with_the_side(report):
    low = report.predictions["tier"] == 0
    given = sliced(report, label=report.predictions["label"].where(~low, 1.0), lapsed=False)
    words = section(render(given), "slices")
    assert (
        "Where the risk is off beyond the uncertainty of resampling: Purchases of twelve months, smallest fifth (more"
        in words
    )
    assert re.search(r"Of \d+ kinds, 0\.\d would be so by chance alone\.", words)


def test_with_too_few_losses_the_measure_is_a_dash_and_that_is_said(report):
    few = sliced(report, label=np.r_[np.ones(5), np.zeros(len(report.predictions) - 5)], risk=0.01)
    html = render(few)
    says_nothing_empty(html)
    words = section(html, "slices")
    assert f"have fewer than {slices.LEAST} lost or kept accounts: a measure would mean nothing" in words
    assert "too few –" in words
    assert len(svgs(html)) == 4  # nothing to plot by kind


def test_without_regions_the_page_says_so(report):
    words = section(render(sliced(report, region=None)), "slices")
    assert "The accounts have no region here, so nothing is told by region." in words
    assert "no region here" not in section(render(report), "slices")


def test_a_region_with_a_hostile_name_stays_text(report):
    html = render(sliced(report, region=HOSTILE))
    assert "<script" not in html
    assert HOSTILE in section(html, "slices")
    assert len(svgs(html)) == 5


def test_a_long_name_is_cut_in_the_picture_only(report):
    name = "The very long name of a sales region in the north"
    html = render(sliced(report, region=name))
    assert name in section(html, "slices")
    drawn = " ".join(svgs(html)[-1].itertext())
    assert "The very long name of a s…" in drawn


def test_what_is_expected_of_the_scoring_stands_beside_its_error_in_the_past(report, page):
    auc = report.live["population"]["active"]["auc"]
    past = report.metrics["label_free"]["active"]
    words = section(page, "expected")
    assert f"Active accounts: expected AUC {auc['value']:.3f}, {auc['low']:.3f} to {auc['high']:.3f} by chance" in words
    assert f"such an estimate was off by {past['error']['auc']:.3f} on average" in words
    assert f"within that range at {past['inside']['auc']} of 2." in words
    assert f"off by {past['error']['brier']:.4f}" in words


@pytest.mark.parametrize("live", [{}, None])
def test_without_a_scoring_or_a_check_nothing_is_expected(report, live):
    assert expected(report.metrics, live or {}) is None
    assert expected({}, report.live) is None
    assert "expected-heading" not in render(replace(report, live=live or {}))


def test_of_nobody_nothing_is_expected(report):
    given = replace(report, live={"population": label_free.live(report.scores.assign(lapsed=True), 20, 0.95, 1)})
    html = render(given)
    says_nothing_empty(html)
    words = section(html, "expected")
    assert "Active accounts: expected AUC" not in words
    assert "All eligible accounts: expected AUC" in words


def compared(gain: float) -> dict:
    predictions = predictions_of()
    noise = np.random.default_rng(9).normal(0, abs(gain), len(predictions))
    worse, better = ("champion", "risk") if gain > 0 else ("risk", "champion")
    given = predictions.assign(**{better: predictions["risk"], worse: np.clip(predictions["risk"] + noise, 0, 1)})
    return {
        "version": "3<b>",
        "compared": "recipes",
        "why": "the champion has seen labels of every test cut-off",
        "cutoffs": ["2024-08-01", "2024-09-01"],
        **evaluate(given, ["risk", "champion"], 50, 0.95, 1),
        "reasons": {"accounts": 1234, "all": 0.123, "large": None},
    }


@pytest.mark.parametrize(("gain", "verdict"), [(0.8, "better"), (-0.8, "worse"), (1e-9, "no difference shown")])
def test_the_champion_is_set_beside_the_model_with_a_verdict(report, gain, verdict):
    found = compared(gain)
    html = render(replace(report, metrics={**report.metrics, "champion": found}))
    says_nothing_empty(html)
    words = section(html, "champion")
    assert "Version 3<b> is the champion" in words
    assert "Compared were the recipes, for the champion has seen labels of every test cut-off." in words
    cell = found["paired"]["active"]["champion"]["mean"]["auc"]
    assert f"{cell['value'] + 0.0:+.4f}".replace("-", "\N{MINUS SIGN}").replace("+0.0000", "0.0000") in words
    assert words.count(verdict) >= 4
    assert f"Of {count(1234)} active accounts 12% are told another first reason than by the champion." in words


def test_a_champion_that_could_not_be_compared_is_told_with_the_reason(report):
    found = {"version": "3", "compared": "nothing", "why": "its horizon is <6> months"}
    html = render(replace(report, metrics={**report.metrics, "champion": found}))
    assert "it could not be compared: its horizon is <6> months." in section(html, "champion")


def test_what_the_recipes_were_not_told_of_is_said(report):
    found = compared(0.8)
    found["why"] += "; it was told nothing of label, steps; the recipes are the same"
    assert champion({"champion": found})["told"].endswith(
        "for the champion has seen labels of every test cut-off; it was told nothing of label, steps; the recipes are the "
        "same."
    )


def test_every_kind_that_is_not_from_the_data_has_a_message():
    assert {*slices.FIFTHS, *(name for _, name in slices.AGES)} <= set(SLICES)
    assert [slice_name(name) for name in ("3 other regions", "no region", "Nord {x}")] == [
        "3 other regions",
        "no region",
        "Nord {x}",
    ]


def test_without_a_champion_nothing_is_said_of_one(page):
    assert champion({}) is None
    assert "champion-heading" not in page
