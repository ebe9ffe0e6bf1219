"""The page of monitoring: what was found is told, text from the data stays text, and the portfolio names the verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from babel import Locale
from readers import Marked, unmarked, words
from sites import site_of

from models.advice import ADVICE, to_do
from models.drift import Bins
from models.monitoring import Limit, judge
from models.taxonomy import taxonomy
from reports import language, portfolio
from reports.language import LANGUAGES, catalogue, speaking, tag
from reports.links import Links
from reports.monitoring import FILE, Page, render
from reports.monitoring_charts import Line, Span, histogram, spans, timeline
from reports.site import write

HOSTILE = '<img src=x onerror="alert(1)">'


def found_of(value: float = 0.4, name: str = "recency", source: str = "mine") -> dict:
    checks = [judge("drift", name, value, Limit(0.1, 0.25), 0.05), judge("stale_days", name, 3.0, Limit(31, 62))]
    cell = {"value": 0.3, "low": 0.25, "high": 0.35}
    auc = {"value": 0.8, "low": 0.75, "high": 0.84}
    grade = {
        **{"as_of": "2024-03-01", "matured": "2024-06-01", "foresight": True, "accounts": 900, "lost": 81},
        **{"expected": 90.2, "expected_low": 70.0, "expected_high": 110.0, "auc": auc, "lift_10": auc, "ece": auc},
        **{"ece_by_chance": 0.02, "promised": {"auc": auc}},
        "names": {"audited": {"n": 10, "right": 7}, "unaudited": {"n": 0, "right": 0}},
    }
    bins = Bins.of([0.0, 1.0, 2.0])
    picture = {"edges": bins.edges.tolist(), "before": [0, 0.5, 0.25, 0.25, 0, 0], "now": [0, 0.2, 0.2, 0.2, 0, 0.4]}
    past = {"model": "ab", "accounts": 900, "expected_share": 0.1, "reasons": {"product": 0.7, "competitor": 0.3}}
    return {
        **{"source": source, "as_of": "2024-09-01", "model": "ab12", "verdict": checks[0].verdict, "chance": 0.01},
        "counts": {kind: sum(check.verdict == kind for check in checks) for kind in ("fine", "watch", "alarm")},
        "level": 0.95,
        "reference": {
            **{"as_of": "2023-09-01", "season": True, "accounts": 950, "eligible": 1000, "pairs": 0},
            **{"now": {"accounts": 900, "eligible": 1000}, "expected_share": 0.1, "expected_share_now": 0.12},
        },
        "reasons": {"product": {"before": cell, "now": cell}, "unexplained": {"before": cell, "now": cell}},
        "pictures": {"risk": picture, name: picture},
        "checks": [check.record() | {"do": to_do(check)} for check in checks],
        "weights": {"recency": 0.2},
        "grades": [grade],
        "pending": ["2024-09-01"],
        "scorings": [past | {"as_of": "2024-03-01"}, past | {"as_of": "2024-09-01"}],
    }


def test_what_was_found_is_told():
    page = render(Page(found_of()))
    assert '<span class="verdict alarm">alarm</span>' in page
    assert "train again when labels mature" in page
    assert "the same season a year before" in page
    assert "81 of 90 expected (70 to 110 by chance)" in page
    assert "0.800 (0.750 to 0.840)" in page
    assert "7 of 10" in page
    assert "Not matured: 1 September 2024" in page
    assert page.count("<svg") == 2 + 1 + 4  # histograms, reasons, time lines
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_nothing_to_do_and_nothing_to_compare_with():
    found = found_of(0.05) | {"reference": None, "reasons": {}, "pictures": {}, "grades": [], "scorings": []}
    page = render(Page(found))
    assert "Nothing. No limit is passed." in page
    assert "There is no cut-off before it" in page
    assert "No scoring kept has matured yet" in page
    assert "<svg" not in page


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_it_speaks_the_language_and_says_what_to_do_in_it(spoken):
    with speaking(spoken):
        page = render(Page(found_of()))
    assert f'<html lang="{tag(spoken)}">' in page
    do = catalogue(spoken).gettext(ADVICE["drift"].do)
    assert f"<td>{do}</td>" in page
    assert taxonomy().names["product"][spoken] in page


@pytest.mark.parametrize("given", [{}, {"reference": None, "reasons": {}, "pictures": {}, "grades": [], "checks": []}])
def test_no_word_stands_outside_a_message(given, monkeypatch):
    monkeypatch.setattr(language, "catalogue", lambda spoken: Marked())
    with speaking("ro"):
        page = render(Page(found_of() | given))
    main = page[page.index("<title>") :]
    main = re.sub(r"<style>.*?</style>|<bdi[^>]*>.*?</bdi>|<span lang=\"en\">.*?</span>", "", main, flags=re.DOTALL)
    labels = re.findall(r'aria-label="([^"]*)"', main)
    left = unmarked(f"{words(main)} {' '.join(labels)}")
    names = (word for told in taxonomy().names.values() for word in re.findall(r"\w+", told["ro"]))
    assert left - {"mine", "recency", "AUC", *Locale.parse("ro").months["format"]["wide"].values(), *names} == set()


def test_hostile_names_stay_text():
    page = render(Page(found_of(name=HOSTILE, source=HOSTILE)))
    assert HOSTILE not in page
    assert "&lt;img src=x" in page
    assert page == render(Page(found_of(name=HOSTILE, source=HOSTILE)))


def test_charts_say_in_words_what_they_show():
    shown = histogram("k", [0.0, 1.0], [0.5, 0.5, 0.0, 0.0], [0.25, 0.5, 0.0, 0.25], "T<")
    assert "T&lt;" in shown
    assert "≤ 0: 50% before, 25% now; ≤ 1: 50% before, 50% now; no value: 0% before, 25% now" in shown
    assert shown.count("<rect") == 6
    shown = spans("k", [("Product", Span(0.2, 0.1, 0.3), Span(0.4, 0.3, 0.5))], "T")
    assert "Product: 20% before, 40% now" in shown
    days = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 4, 1)]
    shown = timeline("k", days, [Line("a", [1.0, None, 3.0]), Line("b", [None, None, None])], str, "T")
    assert shown.count("<circle") == 2
    assert "a, 1 January 2024: 1.0; a, 1 April 2024: 3.0" in shown


@pytest.mark.parametrize("spoken", LANGUAGES)
@pytest.mark.parametrize("value", [0.05, 0.2, 0.4])
def test_the_portfolio_names_the_verdict(spoken, value):
    site = replace(site_of(), monitoring=found_of(value))
    with speaking(spoken):
        told = portfolio.context(site, Links.of(site.scores["account_id"].tolist(), []))["monitoring"]
    assert told["file"] == FILE
    assert spoken != "en" or told["words"].startswith(
        f"Monitoring: {'to ' if value == 0.2 else ''}{found_of(value)['verdict']}"
    )


def test_the_site_holds_the_page_where_it_was_monitored(tmp_path):
    write(replace(site_of(), monitoring=found_of()), tmp_path / "report", ["en", "ro"])
    for folder, spoken in (("report", "en"), ("report/ro", "ro")):
        assert f'<html lang="{spoken}">' in (tmp_path / folder / FILE).read_text()
        assert f'href="{FILE}"' in (tmp_path / folder / "index.html").read_text()
    write(site_of(), tmp_path / "plain")
    assert not (tmp_path / "plain" / FILE).exists()
    assert FILE not in (tmp_path / "plain/index.html").read_text()
