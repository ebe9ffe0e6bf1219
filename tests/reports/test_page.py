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
from reports.page import Report, render

from models import campaign, evidence, label_free, naming, slices
from models.metrics import METRICS, evaluate
from models.taxonomy import taxonomy
from reports.words import count, money

HOSTILE = "</title></svg><script>alert('x')</script><!-- $a_b$ & \"q\" #010101"
UNSEEN = ("competitor", "turbulence")
MODELS = ["risk", "recency", "rfm_logistic", "bg_nbd"]
ECONOMICS = campaign.Economics(0.25, None, 0.05, 0.0, 0.0, 0.4, 10.0)
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
            "risk_low": risk * 0.8,
            "risk_high": np.minimum(risk * 1.2, 1.0),
            "rank": range(1, n + 1),
            "expected_loss": risk * 20_000,
        }
    )
    first["contact_profit"] = np.where(first["lapsed"], np.nan, risk * 0.4 * 5_000 - 250)
    return pd.concat([first, naming.name(share, 0.5, 0.1), share], axis=1)


def evidence_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Two sentences for each reason told of, and one against the loss."""
    rows = []
    for row in scores.to_dict("records"):
        account = row["account_id"]
        for place in (1, 2, 3):
            code = row[f"reason_{place}"]
            if not pd.isna(code) and code != "unexplained":
                for n, word in enumerate(("First", "Second"), start=1):
                    rows.append((account, code, place, n, f"{word} sentence about {code} of {account}."))
        rows.append((account, "neglected_details", 0, 1, f"Sentence for keeping {account}."))
    told = pd.DataFrame(rows, columns=["account_id", "code", "place", "number", "sentence"])
    told = told.assign(feature="recency", value=1.0, before=np.nan, peers=np.nan, others=None)
    told = told.assign(as_of=date(2025, 1, 1), past=date(2024, 7, 1))
    return told[[*evidence.COLUMNS, "sentence"]].sample(frac=1, random_state=1, ignore_index=True)


def explanations_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Each risk was two thirds of what it is; one account was not scored then."""
    risk = scores["risk"]
    table = pd.DataFrame(
        {
            "account_id": scores["account_id"],
            "risk_without_broken_promises": risk * 0.8,
            "risk_without_staff_turnover": risk - 0.001,
            "since": date(2024, 12, 1),
            "risk_then": risk * 2 / 3,
            "change_symptom": risk * 0.5,
            "change_broken_promises": -risk / 6,
            "change_model": 0.0,
        }
    )
    table.loc[1, ["since", "risk_then", "change_symptom", "change_broken_promises", "change_model"]] = np.nan
    return table


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
            "value": rng.gamma(0.7, 10_000, n),
            "tier": rng.integers(0, 5, n),
            "region": np.where(rng.random(n) < 0.5, "North", None),
            "tenure": rng.uniform(1, 1500, n),
            "risk": risk,
        }
    )
    for model, noise in zip(MODELS[1:], (0.4, 0.2, 0.3), strict=True):
        frame[model] = np.clip(risk + rng.normal(0, noise, n), 0.0, 1.0)
    return frame


def plan_of(scores: pd.DataFrame) -> dict:
    risk = scores.loc[~scores["lapsed"], "risk"]
    value = np.full(len(risk), 5_000.0)
    return campaign.plan(risk, value, ECONOMICS.terms(value), 20, 0.95, 1)


@pytest.fixture(scope="module")
def report() -> Report:
    scores, predictions = scores_of(), predictions_of()
    money = campaign.measure(predictions, MODELS, ECONOMICS, 20, 0.95, 1)
    metrics = {
        **evaluate(predictions, MODELS, bootstrap=20, level=0.95, seed=1),
        "money": {"active": money},
        "slices": slices.by_slice(predictions, ["risk", "bg_nbd"], 20, 0.95, 1),
        "label_free": label_free.checked(predictions, 40, 0.95, 1),
        "interval": {"level": 0.95, "resamples": 20},
    }
    return Report(
        source="simulated",
        as_of=date(2025, 1, 1),
        horizon="3 months",
        currency="EUR",
        scores=scores,
        evidence=evidence_of(scores),
        explanations=explanations_of(scores),
        names={"A001": "Müller & Söhne"},
        metrics=metrics,
        predictions=predictions,
        economics=ECONOMICS,
        plan=plan_of(scores),
        live={"as_of": "2025-01-01", "population": label_free.live(scores, 40, 0.95, 1)},
        reason_names={code: names["en"] for code, names in taxonomy().names.items()},
        hypotheses=(),
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


def euros(value: float) -> str:
    """As `Reader.text` has it, which knows one kind of space."""
    return money(value, "EUR").replace("\N{NO-BREAK SPACE}", " ")


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
    told = report.evidence.assign(sentence=HOSTILE)
    told.loc[told["account_id"] == "A001", "account_id"] = HOSTILE + "1"
    hostile = replace(
        report,
        source=HOSTILE,
        currency="<i>$1$</i>",
        scores=scores,
        evidence=told,
        names={HOSTILE + "0": HOSTILE, HOSTILE + "1": HOSTILE},
        reason_names={code: f"{code} {HOSTILE}" for code in report.reason_names},
        lineage={HOSTILE: HOSTILE},
    )
    html = render(hostile)
    assert "<script" not in html
    assert "<i>" not in html
    reader = Reader(html)
    assert f"product {HOSTILE}" in reader.text
    assert reader.text.count(f"What speaks against it {HOSTILE}") == 7
    drawn = svgs(html)[0]
    assert f"product {HOSTILE}" in " ".join(drawn.itertext())


def test_letters_that_the_plotting_font_lacks_are_no_warning(report):
    html = render(replace(report, currency="元", reason_names={**report.reason_names, "product": "产品不再适合"}))
    assert "产品不再适合" in " ".join(svgs(html)[0].itertext())


def svgs(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", html, flags=re.DOTALL)]


def test_charts_are_images_with_a_title_in_the_colours_of_the_page(page):
    charts = svgs(page)
    assert len(charts) == 5
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
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in headers)
    assert page.count("<table") == len(re.findall(r'<div class="scroll" [^>]*>\s*<table', page))
    assert {"header", "main", "footer"} <= {tag for tag, _ in reader.tags}


def test_headline_and_list_count_active_accounts_only(report, page):
    active = report.scores[~report.scores["lapsed"]]
    text = Reader(page).text
    assert f"Active {len(active)}" in text
    assert f"Money at risk {euros(active['expected_loss'].sum())}" in text
    assert f"Expected to be lost {count(active['risk'].sum())}" in text
    worklist = page[page.index("accounts-heading") : page.index('id="money-heading"')]
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
    amounts, firsts = reasons_table(page)
    active = report.scores[~report.scores["lapsed"]]
    total = active["expected_loss"].sum()
    assert amounts.pop("Together") == round(total)
    assert sum(amounts.values()) == pytest.approx(total, abs=len(amounts))
    assert firsts.pop("Together") == len(active) == sum(firsts.values())


def test_only_a_reason_that_is_named_counts_as_the_first(report, page):
    active = report.scores[~report.scores["lapsed"]]
    _, firsts = reasons_table(page)
    naming = active["naming"].value_counts()
    assert set(naming.index) == {"named", "candidates", "none"}
    assert firsts["No documented reason stands out"] == naming["none"]
    assert firsts["Either of two reasons, none named alone"] == naming["candidates"]
    first = active.loc[active["naming"] == "named", "reason_1"].value_counts()
    names = {code: names["en"] for code, names in taxonomy().names.items()}
    assert {names[code]: firsts[names[code]] for code in first.index} == {names[code]: n for code, n in first.items()}
    html = render(replace(report, scores=report.scores[report.scores["naming"] != "candidates"]))
    assert "Either" not in Reader(html).text


def reasons_table(html: str) -> tuple[dict[str, int], dict[str, int]]:
    """By row of the table of reasons: money, where there is an amount, and accounts."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', between(html, "The same as numbers", "</table>"))
    cells = {name: [cell.replace(",", "") for cell in re.findall(r">([^<]*)</td>", rest)] for name, rest in rows}
    sign = "EUR\N{NO-BREAK SPACE}"
    amounts = {name: int(values[0].removeprefix(sign)) for name, values in cells.items() if sign in values[0]}
    return amounts, {name: int(values[-1]) for name, values in cells.items()}


def between(html: str, start: str, end: str) -> str:
    """What stands from the first tag after `start` to the last before `end`."""
    part = html[html.index(start) :]
    part = part[: part.index(end)]
    return part[part.index(">") + 1 : part.rindex("<")]


def row_of(html: str, account: str) -> str:
    """The words of an account's row in the worklist."""
    rows = re.findall(r'<tr role="row">.*?</tr>', html, flags=re.DOTALL)
    return next(Reader(row).text for row in rows if f'<bdi class="id">{account}</bdi>' in row)


def with_row(report: Report, **values: object) -> Report:
    """The report with other values in the scores of account A001."""
    scores = report.scores.copy()
    for column, value in values.items():
        scores.loc[scores["account_id"] == "A001", column] = value
    return replace(report, scores=scores, evidence=evidence_of(scores))


def test_a_named_reason_stands_with_its_share_and_all_its_sentences(report):
    given = with_row(report, naming="named", reason_1="product", reason_2="staff_turnover", reason_3=None)
    given = with_row(given, share_product=0.5, share_staff_turnover=0.21)
    assert (
        "Associated reasons Product no longer fits (50%) First sentence about product of A001. Second sentence about "
        "product of A001. Account manager left (21%) First sentence about staff_turnover of A001. Second sentence about "
        "staff_turnover of A001."
    ) in row_of(render(given), "A001")


def test_two_candidates_are_told_as_either_or(report):
    given = with_row(report, naming="candidates", reason_1="product", reason_2="staff_turnover", reason_3=None)
    given = with_row(given, share_product=0.31, share_staff_turnover=0.28)
    html = render(given)
    assert (
        "Either Product no longer fits (31%) or Account manager left (28%) For Product no longer fits: First sentence "
        "about product of A001."
    ) in row_of(html, "A001")
    assert "each of the two may be the one" in html


def test_where_no_reason_stands_out_that_is_said(report):
    given = with_row(report, naming="none", reason_1="unexplained", reason_2=None, reason_3=None)
    given = with_row(given, share_unexplained=0.4)
    assert "Associated reasons No documented reason stands out (40%)" in row_of(render(given), "A001")


def test_a_reason_seen_only_from_afar_is_a_hypothesis_wherever_it_is_told(report):
    seen = {f"share_{code}": report.scores["share_product"] for code in UNSEEN}
    given = replace(report, scores=report.scores.assign(**seen), hypotheses=UNSEEN)
    given = with_row(given, naming="candidates", reason_1="competitor", reason_2="product", reason_3=None)
    moved = given.explanations.rename(columns={"change_symptom": "change_turbulence"})
    moved.loc[1, ["since", "risk_then", "change_turbulence"]] = [date(2024, 12, 1), 0.1, 0.2]
    html = render(replace(given, explanations=moved))
    row = row_of(html, "A001")
    assert "Either Hypothesis: Taken by a competitor (" in row
    assert "For Hypothesis: Taken by a competitor:" in row
    assert "Hypothesis: Market or company turbulence +20" in row
    text = Reader(html).text
    assert (
        "Hypothesis: Taken by a competitor (no table competitor_signals ); Market or company turbulence (no table events "
        "). Without these tables the data show them only from afar"
    ) in text
    names = ("Taken by a competitor", "Market or company turbulence")
    told = [text.count(name) - text.count(f"{name} (no table") for name in names]
    assert told == [text.count(f"Hypothesis: {name}") - text.count(f"Hypothesis: {name} (no table") for name in names]
    assert "Hypothesis" not in render(report)


def test_what_speaks_against_the_loss_has_a_head_of_its_own(report, page):
    assert row_of(page, "A001").endswith("What speaks against it Sentence for keeping A001.")
    without = replace(report, evidence=report.evidence[report.evidence["place"] > 0])
    assert "What speaks against it" not in render(without)


def test_why_now_and_what_if_stand_in_the_row(report):
    given = with_row(report, naming="named", reason_1="broken_promises", reason_2="staff_turnover", reason_3=None)
    given = with_row(given, risk=0.43, expected_loss=6450.0)
    table = explanations_of(given.scores)
    table.loc[1, ["since", "risk_then", "change_symptom"]] = [date(2024, 12, 1), 0.31, 0.12]
    table.loc[1, "risk_without_broken_promises"] = 0.35
    html = render(replace(given, explanations=table))
    row = row_of(html, "A001")
    assert "Why now Since 1 December 2024 the risk rose by 12 points, from 31% to 43%: signs of the loss" in row
    assert (
        "What if Overdue rebates paid and promised terms granted: risk 43% → 35%, expected loss EUR 1,200 less. "
        "Account manager left: removing it would hardly change the model’s risk."
    ) in row
    assert html.count("model-based, not causal") == 1
    assert "from 31% to 43%: signs of the loss itself\N{NO-BREAK SPACE}+" in html


def test_the_range_of_a_risk_stands_below_it_where_it_was_measured(report):
    given = with_row(report, risk_low=0.31, risk_high=0.57)
    assert "31% to 57%" in row_of(render(given), "A001")
    unknown = replace(report, scores=report.scores.assign(risk_low=np.nan, risk_high=np.nan))
    html = render(unknown)
    assert "% to" not in row_of(html, "A001").split("Why now")[0]
    assert "held out" not in html


def test_an_account_not_scored_then_and_one_without_explanation_show_nothing_of_it(report, page):
    assert "Why now" not in row_of(page, "A001")
    assert "Why now" in row_of(page, "A002")
    for none in (report.explanations.head(0), pd.DataFrame()):
        html = render(replace(report, explanations=none, evidence=report.evidence.head(0)))
        says_nothing_empty(html)
        assert not re.search("Why now|What if|What speaks|model-based, not causal", html)


def explained(scores: pd.DataFrame, rank: int) -> pd.DataFrame:
    """The scores as they are where reasons are told of the riskiest `rank` accounts."""
    scores = scores.copy()
    told = [column for column in scores if column.startswith(("naming", "reason_", "share_"))]
    scores.loc[scores["rank"] > rank, told] = np.nan
    return scores


def test_where_reasons_are_told_of_the_riskiest_only_the_page_says_so(report, page):
    scores = explained(report.scores, 10)
    active = scores[~scores["lapsed"]]
    told = active[active["naming"].notna()]
    html = render(replace(report, scores=scores, top=len(active)))
    text = Reader(html).text
    says_nothing_empty(html)
    n = len(told)
    assert n < len(active)
    assert f"Reasons are told of {n} of the {len(active)} active accounts, those with the highest risk." in text
    assert f"Reasons are told of the {n} riskiest of them, who make up" in text
    amounts, firsts = reasons_table(html)
    assert amounts.pop("Together") == round(told["expected_loss"].sum())
    assert sum(amounts.values()) == pytest.approx(told["expected_loss"].sum(), abs=len(amounts))
    assert firsts.pop("Together") == n == sum(firsts.values())
    assert text.count("Not told of this account: it is not among the riskiest.") == len(active) - n
    assert "Cannot be seen on this data: Taken by a competitor; Market or company turbulence." in text
    assert "Reasons are told of" not in Reader(page).text


def test_where_reasons_are_told_of_no_active_account_nothing_is_divided(report):
    html = render(replace(report, scores=explained(report.scores, 0)))
    says_nothing_empty(html)
    active = (~report.scores["lapsed"]).sum()
    assert f"Reasons are told of none of the {active} active accounts" in html
    assert "Cannot be seen" not in html


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
    evaluated = {name: report.metrics[name] for name in ("population", "paired")}
    html = render(replace(report, metrics=emptied(evaluated)))
    says_nothing_empty(html)
    quality = html[html.index("quality-heading") :]
    assert len(re.findall(r'<td class="n[^"]*">–\s*</td>', quality)) == 2 * (4 * len(METRICS) + 3 * 3)
    assert "AUC: not known" in quality
    assert "better than that of 0 of 3" in html


def test_nothing_empty_is_ever_printed(report, page):
    says_nothing_empty(page)
    scores = report.scores.assign(reason_3=pd.NA)
    scores.loc[scores["naming"] == "named", "reason_2"] = np.nan
    scores.loc[[1, 2], "expected_loss"] = np.nan
    says_nothing_empty(render(replace(report, scores=scores, names={"A001": None})))


@pytest.mark.parametrize("lapsed", [True, False])
def test_without_active_or_without_lapsed_accounts(report, lapsed):
    html = render(replace(report, scores=report.scores.assign(lapsed=lapsed)))
    says_nothing_empty(html)
    assert ("There are no active accounts to list." in html) == lapsed
    assert ("No account scored has lapsed." in html) != lapsed


def test_the_list_of_contacts_holds_those_that_are_expected_to_pay(report, page):
    active = report.scores[~report.scores["lapsed"]]
    worth = active[active["contact_profit"] > 0].sort_values("contact_profit", ascending=False)
    text = Reader(page).text
    assert 10 < len(worth) < len(active)
    assert f"Contacting {len(worth)} of the {len(active)} active accounts is expected to earn more" in text
    assert f"together {euros(worth['contact_profit'].sum())} (" in text
    section = between(page, 'id="money-heading"', 'id="lapsed-heading"')
    assert re.findall(r'<bdi class="id">(A\d+)</bdi>', section) == worth["account_id"].head(10).tolist()
    first = worth.iloc[0]
    row = f'{money(first["expected_loss"], "EUR")}</td><td class="n">{money(first["contact_profit"], "EUR")}'
    assert row in section
    assert f"{len(worth.head(10))} of {len(worth)}, by expected profit" in section


def test_the_worklist_says_what_a_contact_earns_below_zero_too(report):
    given = with_row(report, contact_profit=-49.6)
    row = row_of(render(given), "A001")
    assert f" {euros(given.scores.loc[1, 'expected_loss'])} {euros(-50)} Associated reasons" in row


def test_three_rankings_are_set_side_by_side_with_their_differences(report, page):
    found = report.metrics["money"]["active"]
    table = Reader(page).text
    table = table[table.index("Each ranking contacted as many") : table.index("Expected maximum profit of each model")]
    for name, words in (("contact_profit", "By expected profit of contacting"), ("risk", "By risk")):
        cell = found["rankings"][name]["profit"]
        assert f"{words} " in table
        assert euros(cell["value"]) in table
    difference = found["paired"]["value"]["value"]
    assert euros(difference) in table
    assert "Table of rankings by profit" not in render(replace(report, metrics={**report.metrics, "money": {}}))


def test_what_is_assumed_of_money_is_listed_with_what_it_rests_on(report, page):
    text = Reader(page).text
    assert "Margin 25% of purchases An assumption; the documents give no figure." in text
    assert "40% of former accounts order again (004)" in text
    assert "Incentive none" in text
    dear = replace(report, economics=replace(ECONOMICS, contact_cost=40.0, incentive=5.0, incentive_share=0.1))
    told = Reader(render(dear)).text
    assert "Incentive EUR 5 and 10% of its yearly margin" in told
    assert "Given in params.yaml." in told


def test_where_no_contact_pays_the_page_says_so(report):
    scores = report.scores.assign(contact_profit=-1.0)
    html = render(replace(report, scores=scores))
    assert "No active account is expected to earn more than a contact costs." in html
    assert "most worth contacting" not in html


def test_without_accounts_evaluation_or_predictions(report):
    empty = replace(
        report,
        scores=report.scores.head(0),
        evidence=report.evidence.head(0),
        explanations=report.explanations.head(0),
        metrics={},
        predictions=report.predictions.head(0),
        plan=plan_of(report.scores.head(0)),
        live={},
    )
    html = render(empty)
    says_nothing_empty(html)
    assert "Cannot be seen" not in html
    assert html.count("No evaluation is at hand") == 2
    unknown = replace(report, predictions=report.predictions.assign(label=np.nan))
    assert len(svgs(render(unknown))) == 3


def test_inputs_are_left_as_they_were(report):
    before = [frame.copy() for frame in (report.scores, report.evidence, report.explanations, report.predictions)]
    render(report)
    for frame, copy in zip(
        (report.scores, report.evidence, report.explanations, report.predictions), before, strict=True
    ):
        pd.testing.assert_frame_equal(frame, copy)


def test_the_footer_says_what_it_is_and_where_it_comes_from(page):
    footer = page[page.index("<footer>") :]
    assert "Model-based association, not proof of cause" in footer
    assert all(word in footer for word in ("9f2c", "ab12", "4c25a28", "yes: better than every baseline"))
