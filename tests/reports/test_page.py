"""The page: what stands in it, what never does, and that nothing is fetched or run."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from models.metrics import evaluate
from models.reasons import named, taxonomy
from reports.page import Report, count, money, number, percent, render

HOSTILE = "</title></svg><script>alert('x')</script><!-- $a_b$ & \"q\" #010101"
UNSEEN = ("competitor", "turbulence")
MODELS = ["risk", "recency", "rfm_logistic", "bg_nbd"]
VOID = {"meta", "link"}


def scores_of(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    codes = taxonomy().codes
    weight = rng.gamma(0.4, 1.0, (n, len(codes) + 1))
    weight[:, [codes.index(code) for code in UNSEEN]] = 0.0
    share = pd.DataFrame(
        weight / weight.sum(axis=1, keepdims=True),
        columns=[f"share_{code}" for code in (*codes, "unexplained")],
    )
    share[[f"share_{code}" for code in UNSEEN]] = np.nan
    risk = np.sort(rng.beta(1, 4, n))[::-1]
    first = pd.DataFrame(
        {
            "account_id": [f"A{i:03d}" for i in range(n)],
            "as_of": date(2025, 1, 1),
            "lapsed": np.arange(n) % 4 == 0,
            "risk": risk,
            "rank": range(1, n + 1),
            "expected_loss": risk * 20_000,
        }
    )
    return pd.concat([first, named(share, 0.1), share], axis=1)


def predictions_of(accounts: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = accounts * 2
    risk = rng.beta(1, 3, n)
    frame = pd.DataFrame(
        {
            "account_id": np.tile([f"A{i:03d}" for i in range(accounts)], 2),
            "as_of": np.repeat([date(2024, 8, 1), date(2024, 9, 1)], accounts),
            "label": (rng.random(n) < risk).astype(float),
            "lapsed": risk > 0.5,
            "risk": risk,
        }
    )
    for model, noise in zip(MODELS[1:], (0.4, 0.2, 0.3), strict=True):
        frame[model] = np.clip(risk + rng.normal(0, noise, n), 0.0, 1.0)
    return frame


@pytest.fixture(scope="module")
def report() -> Report:
    scores, predictions = scores_of(), predictions_of()
    evidence = scores[["account_id"]].assign(
        evidence_1=[None if code == "unexplained" else f"Sentence about {code}." for code in scores["reason_1"]],
        evidence_2=np.nan,
        evidence_3=None,
    )
    return Report(
        source="simulated",
        as_of=date(2025, 1, 1),
        horizon="3 months",
        currency="EUR",
        scores=scores,
        evidence=evidence,
        names={"A001": "Müller & Söhne"},
        metrics=evaluate(predictions, MODELS, bootstrap=20, level=0.95, seed=1),
        predictions=predictions,
        reason_names={code: names["en"] for code, names in taxonomy().names.items()},
        top=7,
        lineage={"model": "9f2c", "data": "ab12", "code": "4c25a28", "champion": "yes: better than every baseline"},
    )


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render(report)


class Reader(HTMLParser):
    """Tags with their attributes, visible text, and whether what is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def says_nothing_empty(html: str) -> None:
    found = re.findall(r"\b(?:nan|None|null|inf|NaT|Undefined)\b", Reader(html).text, flags=re.IGNORECASE)
    assert [word for word in found if word not in ("none",)] == []


def test_nothing_is_fetched_and_nothing_runs(page):
    assert set(re.findall(r"https?://[^\s\"'<]*", page)) == {"http://www.w3.org/2000/svg"}
    reader = Reader(page)
    assert not {tag for tag, _ in reader.tags} & {"script", "img", "iframe", "object", "embed", "image", "base"}
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    assert not re.search(r"@import|url\((?!#)", page)
    assert "default-src 'none'" in page
    assert len(page.encode()) < 300_000


def test_the_same_report_gives_the_same_bytes(report, page):
    assert render(report) == page
    assert render(replace(report, lineage=dict(report.lineage))) == page


def test_names_from_data_stay_text(report):
    scores = report.scores.copy()
    scores.loc[:1, "account_id"] = [HOSTILE + "0", HOSTILE + "1"]
    evidence = pd.DataFrame({"account_id": [HOSTILE + "1"], "evidence_1": [HOSTILE], "evidence_2": [None]})
    hostile = replace(
        report,
        source=HOSTILE,
        currency="<i>$1$</i>",
        scores=scores,
        evidence=evidence,
        names={HOSTILE + "0": HOSTILE, HOSTILE + "1": HOSTILE},
        reason_names={code: f"{code} {HOSTILE}" for code in report.reason_names},
        lineage={HOSTILE: HOSTILE},
    )
    html = render(hostile)
    assert "<script" not in html
    assert "<i>" not in html
    reader = Reader(html)
    assert f"product {HOSTILE}" in reader.text
    drawn = svgs(html)[0]
    assert f"product {HOSTILE}" in " ".join(drawn.itertext())


def test_letters_that_the_plotting_font_lacks_are_no_warning(report):
    html = render(replace(report, currency="元", reason_names={**report.reason_names, "product": "产品不再适合"}))
    assert "产品不再适合" in " ".join(svgs(html)[0].itertext())


def svgs(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", html, flags=re.DOTALL)]


def test_charts_are_images_with_a_title_in_the_colours_of_the_page(page):
    charts = svgs(page)
    assert len(charts) == 3
    for chart in charts:
        assert chart.get("role") == "img"
        first, second = list(chart)[:2]
        assert (first.tag.split("}")[1], second.tag.split("}")[1]) == ("title", "desc")
        assert chart.get("aria-labelledby") == f"{first.get('id')} {second.get('id')}"
        assert first.text
        assert second.text
        assert not re.search(r"#0[1-6]0[1-6]0[1-6]", ElementTree.tostring(chart, encoding="unicode"))
    assert "var(--grey)" in page
    assert "prefers-color-scheme: dark" in page


def test_ids_are_unique_and_what_is_referred_to_exists(page):
    reader = Reader(page)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'(?:href="|url\()#([^")]+)', page))
    for _, attributes in reader.tags:
        wanted |= set((attributes.get("aria-labelledby") or "").split())
    assert wanted <= set(ids)


def test_headers_have_a_scope_and_tables_scroll_in_a_box_of_their_own(page):
    reader = Reader(page)
    headers = [attributes for tag, attributes in reader.tags if tag == "th"]
    assert headers
    assert all(attributes.get("scope") in ("col", "row") for attributes in headers)
    assert page.count("<table") == len(re.findall(r'<div class="scroll" [^>]*>\s*<table', page))
    assert {"header", "main", "footer"} <= {tag for tag, _ in reader.tags}


def test_headline_and_list_count_active_accounts_only(report, page):
    active = report.scores[~report.scores["lapsed"]]
    text = Reader(page).text
    assert f"Active {len(active)}" in text
    assert f"Money at risk {active['expected_loss'].sum():,.0f} EUR" in text
    assert f"Expected to be lost {count(active['risk'].sum())}" in text
    worklist = page[page.index("accounts-heading") : page.index('id="lapsed-heading"')]
    listed = re.findall(r'<bdi class="id">(A\d+)</bdi>', worklist)
    assert listed == active.sort_values("rank")["account_id"].head(7).tolist()
    assert "Müller &amp; Söhne" in worklist


def test_a_reason_that_cannot_be_seen_is_named_as_such_and_not_drawn(report, page):
    text = Reader(page).text
    assert "Cannot be seen on this data: Taken by a competitor; Market or company turbulence." in text
    drawn = " ".join(svgs(page)[0].itertext())
    assert "Taken by a competitor" not in drawn
    assert "No documented reason stands out" in drawn
    complete = report.scores.assign(**{f"share_{code}": 0.0 for code in UNSEEN})
    assert "Cannot be seen" not in render(replace(report, scores=complete))


def test_shares_of_the_money_add_up_to_the_money_at_risk(report, page):
    table = page[page.index("The same as numbers") : page.index("accounts-heading")]
    amounts = [int(amount.replace(",", "")) for amount in re.findall(r'<td class="n">([\d,]+) EUR</td>', table)]
    total = report.scores.loc[~report.scores["lapsed"], "expected_loss"].sum()
    assert sum(amounts) == pytest.approx(total, abs=len(amounts))


def test_each_difference_is_said_to_lie_above_below_or_around_zero(report):
    cells = {
        "auc": {"value": 0.02, "low": 0.01, "high": 0.03},
        "average_precision": {"value": 0.02, "low": -0.01, "high": 0.03},
        "brier": {"value": -0.02, "low": -0.03, "high": -0.01},
    }
    metrics = {**report.metrics, "paired": {"all": {"recency": {"mean": cells}}, "active": {}}}
    text = Reader(render(replace(report, metrics=metrics))).text
    assert (
        "Against Recency. AUC: the interval lies above zero, Holdfast is better; Average precision: the interval "
        "holds zero, so no difference is shown; Brier: the interval lies below zero, Holdfast is better."
    ) in text
    worse = {**cells, "auc": {"value": -0.02, "low": -0.03, "high": -0.01}}
    metrics["paired"]["all"]["recency"]["mean"] = worse
    assert "AUC: the interval lies below zero, Holdfast is worse" in render(replace(report, metrics=metrics))


def test_a_larger_error_than_that_of_a_baseline_is_among_the_findings(report):
    mean = report.metrics["paired"]["active"]["bg_nbd"]["mean"]
    cells = {**mean, "brier": {"value": 0.004, "low": 0.002, "high": 0.006}}
    metrics = {**report.metrics, "paired": {"all": {}, "active": {"bg_nbd": {"mean": cells}}}}
    html = render(replace(report, metrics=metrics))
    assert "The error of its risks (Brier) was larger than that of BG/NBD." in html


def emptied(metrics):
    """The same dictionary with null for every number that is measured."""
    if isinstance(metrics, dict):
        return {key: value if key in ("n", "losses") else emptied(value) for key, value in metrics.items()}
    return None


def test_metrics_that_are_null_are_a_dash(report):
    html = render(replace(report, metrics=emptied(report.metrics)))
    says_nothing_empty(html)
    quality = html[html.index("quality-heading") :]
    assert len(re.findall(r'<td class="n[^"]*">–\s*</td>', quality)) == 2 * (4 * 6 + 3 * 3)
    assert "AUC: not known" in quality
    assert "better than that of 0 of 3" in html


def test_nothing_empty_is_ever_printed(report, page):
    says_nothing_empty(page)
    scores = report.scores.assign(reason_2=np.nan, reason_3=pd.NA)
    scores.loc[[1, 2], "expected_loss"] = np.nan
    says_nothing_empty(render(replace(report, scores=scores, names={"A001": None})))


@pytest.mark.parametrize("lapsed", [True, False])
def test_without_active_or_without_lapsed_accounts(report, lapsed):
    html = render(replace(report, scores=report.scores.assign(lapsed=lapsed)))
    says_nothing_empty(html)
    assert ("There are no active accounts to list." in html) == lapsed
    assert ("No account scored has lapsed." in html) != lapsed


def test_without_accounts_evaluation_or_predictions(report):
    empty = replace(
        report,
        scores=report.scores.head(0),
        evidence=report.evidence.head(0),
        metrics={},
        predictions=report.predictions.head(0),
    )
    html = render(empty)
    says_nothing_empty(html)
    assert "Cannot be seen" not in html
    assert html.count("No evaluation is at hand") == 2
    unknown = replace(report, predictions=report.predictions.assign(label=np.nan))
    assert len(svgs(render(unknown))) == 1


def test_inputs_are_left_as_they_were(report):
    before = [frame.copy() for frame in (report.scores, report.evidence, report.predictions)]
    render(report)
    for frame, copy in zip((report.scores, report.evidence, report.predictions), before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


def test_the_footer_says_what_it_is_and_where_it_comes_from(page):
    footer = page[page.index("<footer>") :]
    assert "Model-based association, not proof of cause" in footer
    assert all(word in footer for word in ("9f2c", "ab12", "4c25a28", "yes: better than every baseline"))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money(1_234_567.4, "EUR"), "1,234,567 EUR"),
        (money(0.2, "EUR"), "under 1 EUR"),
        (money(-0.0), "0"),
        (money(float("nan"), "EUR"), "–"),
        (money(None), "–"),
        (percent(0.123), "12 %"),
        (percent(0.0346), "3.5 %"),
        (percent(0.09996), "10 %"),
        (percent(0.0004), "under 0.1 %"),
        (percent(0.9988), "over 99 %"),
        (percent(0.0), "0 %"),
        (percent(1.0), "100 %"),
        (percent(float("nan")), "–"),
        (count(1234.0), "1,234"),
        (count(3.26), "3.3"),
        (number(-0.00001, 3, sign=True), "0.000"),
        (number(0.02, 3, sign=True), "+0.020"),
        (number(-0.02, 3), "\N{MINUS SIGN}0.020"),
        (number(None, 3), "–"),
    ],
)
def test_numbers_as_a_reader_writes_them(shown, expected):
    assert shown == expected
