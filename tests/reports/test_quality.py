"""What the page tells of kinds of accounts, of the champion, and of a scoring nobody knows the outcome of."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from frames import MODELS, predictions_of
from readers import says_nothing_empty, svgs
from readers import words as words_of
from sites import HOSTILE
from sites import page as page_of

from models import label_free, slices
from models.metrics import evaluate
from reports.quality import SLICES, champion, expected, slice_name
from reports.words import count


def methods(site) -> str:
    return page_of(site, "methods.html")


def section(html: str, name: str) -> str:
    """The words of a section, up to the next heading."""
    part = html[html.index(f'<h3 id="{name}-heading"') :]
    return words_of(part[: part.index("</section>")])


@pytest.fixture(scope="module")
def page(site):
    return methods(site)


def sliced(site, **columns):
    changed = site.predictions.assign(**columns)
    return replace(site, metrics={**site.metrics, "slices": slices.by_slice(changed, MODELS[:2], 20, 0.95, 1)})


def test_every_kind_stands_with_its_counts_and_its_auc(site, page):
    words = section(page, "slices")
    for rows in site.metrics["slices"]["active"].values():
        for row in rows:
            assert f"{row['slice']} {row['n']} {row['losses']} {round(row['expected'])}" in words
    auc = [row["models"]["risk"]["auc"]["value"] for row in site.metrics["slices"]["active"]["region"]]
    assert all(f"{value:.3f}" in words for value in auc if value is not None)
    assert any(value is not None for value in auc)
    assert "less BG/NBD, the best baseline, in AUC" in words
    assert "no region" in words


def test_a_kind_whose_risk_is_off_is_named_with_the_side(site):
    low = site.predictions["tier"] == 0
    given = sliced(site, label=site.predictions["label"].where(~low, 1.0), lapsed=False)
    words = section(methods(given), "slices")
    assert (
        "Where the risk is off beyond the uncertainty of resampling: Purchases of twelve months, smallest fifth (more"
        in words
    )
    assert re.search(r"Of \d+ kinds, 0\.\d would be so by chance alone\.", words)


def test_with_too_few_losses_the_measure_is_a_dash_and_that_is_said(site):
    few = sliced(site, label=np.r_[np.ones(5), np.zeros(len(site.predictions) - 5)], risk=0.01)
    html = methods(few)
    says_nothing_empty(html)
    words = section(html, "slices")
    assert f"have fewer than {slices.LEAST} lost or kept accounts: a measure would mean nothing" in words
    assert "too few –" in words
    assert len(svgs(html)) == 3  # nothing to plot by kind


def test_without_regions_the_page_says_so(site):
    words = section(methods(sliced(site, region=None)), "slices")
    assert "The accounts have no region here, so nothing is told by region." in words
    assert "no region here" not in section(methods(site), "slices")


def test_a_region_with_a_hostile_name_stays_text(site):
    html = methods(sliced(site, region=HOSTILE))
    assert "<script>" not in html
    assert HOSTILE in section(html, "slices")
    assert len(svgs(html)) == 4


def test_a_long_name_is_cut_in_the_picture_only(site):
    name = "The very long name of a sales region in the north"
    html = methods(sliced(site, region=name))
    assert name in section(html, "slices")
    drawn = " ".join(svgs(html)[-1].itertext())
    assert "The very long name of a s…" in drawn


def test_what_is_expected_of_the_scoring_stands_beside_its_error_in_the_past(site, page):
    auc = site.live["population"]["active"]["auc"]
    past = site.metrics["label_free"]["active"]
    words = section(page, "expected")
    assert f"Active accounts: expected AUC {auc['value']:.3f}, {auc['low']:.3f} to {auc['high']:.3f} by chance" in words
    assert f"such an estimate was off by {past['error']['auc']:.3f} on average" in words
    assert f"within that range at {past['inside']['auc']} of 2." in words
    assert f"off by {past['error']['brier']:.4f}" in words


@pytest.mark.parametrize("live", [{}, None])
def test_without_a_scoring_or_a_check_nothing_is_expected(site, live):
    assert expected(site.metrics, live or {}) is None
    assert expected({}, site.live) is None
    assert "expected-heading" not in methods(replace(site, live=live or {}))


def test_of_nobody_nothing_is_expected(site):
    given = replace(site, live={"population": label_free.live(site.scores.assign(lapsed=True), 20, 0.95, 1)})
    html = methods(given)
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
def test_the_champion_is_set_beside_the_model_with_a_verdict(site, gain, verdict):
    found = compared(gain)
    html = methods(replace(site, metrics={**site.metrics, "champion": found}))
    says_nothing_empty(html)
    words = section(html, "champion")
    assert "Version 3<b> is the champion" in words
    assert "Compared were the recipes, for the champion has seen labels of every test cut-off." in words
    cell = found["paired"]["active"]["champion"]["mean"]["auc"]
    assert f"{cell['value'] + 0.0:+.4f}".replace("-", "\N{MINUS SIGN}").replace("+0.0000", "0.0000") in words
    assert words.count(verdict) >= 4
    assert f"Of {count(1234)} active accounts 12% have another largest share than by the champion." in words


def test_a_champion_that_could_not_be_compared_is_told_with_the_reason(site):
    found = {"version": "3", "compared": "nothing", "why": "its horizon is <6> months"}
    html = methods(replace(site, metrics={**site.metrics, "champion": found}))
    assert "it could not be compared: its horizon is <6> months." in section(html, "champion")


def test_what_the_recipes_were_not_told_of_is_said(site):
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
