"""The portfolio page: sums that add up, what changed, reasons, and whom to see first."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from frames import UNSEEN, explanations_of
from readers import Reader, euros, says_nothing_empty, section, svgs, table, words
from sites import changed, emptied, page, scored, with_row

from models.taxonomy import taxonomy
from reports.words import count, percent

NAMES = {code: names["en"] for code, names in taxonomy().names.items()}
REASONS = "Table of the money at risk by reason"
CHANGE = "Table of the change of the money at risk"
RISKIEST = "Table of active accounts with the most at risk"


@pytest.fixture(scope="module")
def html(pages):
    return pages["index.html"]


def tiles(html: str) -> dict[str, str]:
    found = re.findall(r'<dt>([^<]*)</dt><dd class="value"><data value="([^"]*)">', html)
    return dict(found)


def reasons_table(html: str) -> dict[str, tuple[float | None, int]]:
    """By row of the table of reasons: money, where there is an amount, and accounts."""
    return {
        row[0].text: (row[1].number if row[1].value else None, int(row[-2].text.replace(",", "")))
        for row in table(html, REASONS)[1:]
    }


def test_the_headline_counts_active_accounts_only(site, html):
    active, found = site.scores[~site.scores["lapsed"]], tiles(html)
    assert found["Active accounts"] == f"{len(active)}.00"
    assert float(found["Money at risk"]) == round(active["expected_loss"].sum(), 2)
    assert float(found["Expected to be lost"]) == round(active["risk"].sum(), 2)
    assert found["Lapsed accounts"] == f"{len(site.scores) - len(active)}.00"
    do = site.worklist[site.worklist["decision"] == "do"]
    assert float(found["The worklist earns"]) == round(do["profit"].sum(), 2)
    text = Reader(html).text
    assert f"Money at risk {euros(active['expected_loss'].sum())}" in text
    assert f"Expected to be lost {count(active['risk'].sum())}" in text


def test_findings_are_told_with_their_numbers(site, html):
    active = site.scores[~site.scores["lapsed"]]
    risk, loss = active["risk"].sum(), np.sort(active["expected_loss"])[::-1]
    half = int(np.searchsorted(loss.cumsum(), loss.sum() / 2)) + 1
    text = Reader(html).text
    assert (
        f"Of {len(active)} active accounts, {count(risk)} ({percent(risk / len(active))}) are expected not to order within "
        "3 months after 1 January 2025."
    ) in text
    assert f"Half of the money at risk lies with {half} accounts." in text


def test_the_list_has_active_accounts_only_most_at_risk_first(site, html):
    active = site.scores[~site.scores["lapsed"]].sort_values("expected_loss", ascending=False).head(7)
    rows = table(html, RISKIEST)[1:]
    assert [row[0].text.split()[0] for row in rows] == active["account_id"].tolist()
    assert [row[4].number for row in rows] == active["expected_loss"].round(2).tolist()
    assert [row[3].number for row in rows] == pytest.approx(active["risk"].tolist(), abs=1e-6)
    profit = site.worklist.set_index("account_id")["profit"]
    assert [row[5].number for row in rows] == profit[active["account_id"]].round(2).tolist()
    assert f"7 of {(~site.scores['lapsed']).sum()} active accounts" in html
    known = site.accounts.set_index("account_id").loc[active["account_id"]]
    assert [row[1].key for row in rows] == known["class"].fillna("").tolist()
    assert [row[2].key for row in rows] == known["region"].fillna("").tolist()


def test_an_account_leads_to_its_page_where_it_has_one(site):
    rows = table(page(replace(site, at_risk=2.0, top=45)), RISKIEST)[1:]
    do = set(site.worklist.loc[site.worklist["decision"] == "do", "account_id"])
    for row in rows:
        account = row[0].text.split()[0]
        assert row[0].links == ([f"accounts/{account}.html"] if account in do else [])


def test_a_reason_that_cannot_be_seen_is_named_as_such_and_not_drawn(site, html):
    text = Reader(html).text
    assert "Cannot be seen on this data: Taken by a competitor, Market or company turbulence." in text
    drawn = " ".join(svgs(section(html, "reasons"))[0].itertext())
    assert "Taken by a competitor" not in drawn
    assert NAMES["product"] in drawn
    assert "No documented reason stands out" in drawn
    complete = site.scores.assign(**{f"share_{code}": 0.0 for code in UNSEEN})
    assert "Cannot be seen" not in page(replace(site, scores=complete))


def test_shares_of_the_money_add_up_to_the_money_at_risk(site, html):
    amounts = {name: money for name, (money, _) in reasons_table(html).items() if money is not None}
    total = site.scores.loc[~site.scores["lapsed"], "expected_loss"].sum()
    assert amounts.pop("Together") == round(total, 2)
    assert sum(amounts.values()) == pytest.approx(total, abs=0.005 * len(amounts))
    active = site.scores[~site.scores["lapsed"]]
    assert amounts[NAMES["product"]] == round((active["share_product"] * active["expected_loss"]).sum(), 2)
    documented = [money for name, money in amounts.items() if name != "No documented reason stands out"]
    assert documented == sorted(documented, reverse=True)


def test_only_a_reason_that_is_named_counts_as_the_first(site, html):
    active = site.scores[~site.scores["lapsed"]]
    firsts = {name: accounts for name, (_, accounts) in reasons_table(html).items()}
    assert firsts.pop("Together") == len(active) == sum(firsts.values())
    naming = active["naming"].value_counts()
    assert set(naming.index) == {"named", "untried", "candidates", "none"}
    assert firsts["No documented reason stands out"] == naming["none"]
    assert firsts["Either of two reasons, none named alone"] == naming["candidates"]
    assert firsts["One reason as a guess: nothing like it happened before"] == naming["untried"]
    first = active.loc[active["naming"] == "named", "reason_1"].value_counts()
    assert {NAMES[code]: firsts[NAMES[code]] for code in first.index} == {NAMES[code]: n for code, n in first.items()}
    without = replace(site, scores=site.scores[site.scores["naming"] != "candidates"])
    assert "Either of two" not in page(without)
    assert "nothing like it happened" not in page(replace(site, scores=site.scores[site.scores["naming"] != "untried"]))


def test_published_shares_stand_beside_those_found(html):
    published = {row[0].text: row[4].text for row in table(html, REASONS)[1:] if row[0].text in NAMES.values()}
    for code, share in taxonomy().documented_shares.items():
        if code not in UNSEEN and NAMES.get(code) in published:
            assert published[NAMES[code]] == percent(share)
    assert any(published.values())


def test_a_reason_seen_only_from_afar_is_a_hypothesis_wherever_it_is_told(site, html):
    seen = {f"share_{code}": site.scores["share_product"] for code in UNSEEN}
    text = Reader(page(replace(site, scores=site.scores.assign(**seen), hypotheses=UNSEEN))).text
    assert (
        "Hypothesis: Taken by a competitor. Without the table competitor_signals the data show it only from afar"
        in text
    )
    assert "Hypothesis: Market or company turbulence. Without the table events" in text
    assert "Cannot be seen" not in text
    for name in (NAMES[code] for code in UNSEEN):
        assert text.count(name) == text.count(f"Hypothesis: {name}") > 1
    assert "Hypothesis" not in html
    unseen = Reader(page(replace(site, hypotheses=UNSEEN))).text
    assert "the data show it only from afar" not in unseen  # it is not seen at all


def told_to(scores: pd.DataFrame, rank: int) -> pd.DataFrame:
    """The scores as they are where reasons are told of the riskiest `rank` accounts."""
    scores = scores.copy()
    told = [column for column in scores if column.startswith(("naming", "reason_", "share_"))]
    scores.loc[scores["rank"] > rank, told] = np.nan
    return scores


def test_where_reasons_are_told_of_the_riskiest_only_the_page_says_so(site, html):
    scores = told_to(site.scores, 10)
    active = scores[~scores["lapsed"]]
    told = active[active["naming"].notna()]
    few = page(replace(site, scores=scores))
    says_nothing_empty(few)
    assert (
        f"Reasons are told of {len(told)} of the {len(active)} active accounts, those with the highest risk. They make up "
        f"{euros(told['expected_loss'].sum())} of the {euros(active['expected_loss'].sum())} at risk"
    ) in Reader(few).text
    found = reasons_table(few)
    assert found["Together"] == (round(told["expected_loss"].sum(), 2), len(told))
    amounts = [money for name, (money, _) in found.items() if name != "Together" and money is not None]
    assert sum(amounts) == pytest.approx(told["expected_loss"].sum(), abs=0.005 * len(amounts))
    assert "Reasons are told of" not in html


def test_where_reasons_are_told_of_no_active_account_nothing_is_divided(site):
    none = page(replace(site, scores=told_to(site.scores, 0)))
    says_nothing_empty(none)
    active = (~site.scores["lapsed"]).sum()
    assert f"Reasons are told of none of the {active} active accounts" in none
    assert "Cannot be seen" not in none


def test_two_candidates_are_both_told_in_the_list(site):
    given = with_row(site, naming="candidates", reason_1="product", reason_2="staff_turnover", expected_loss=1e6)
    first = table(page(given), RISKIEST)[1]
    assert first[0].text == "A001 Firm A001"
    assert (first[6].text, first[6].key) == ("Product no longer fits or Account manager left", "product")


def test_the_range_of_a_risk_stands_below_it_where_it_was_measured(site):
    given = with_row(site, risk_low=0.31, risk_high=0.57, expected_loss=1e6)
    assert table(page(given), RISKIEST)[1][3].text.endswith("31% to 57%")
    unknown = replace(given, scores=given.scores.assign(risk_low=np.nan, risk_high=np.nan))
    assert " to " not in table(page(unknown), RISKIEST)[1][3].text


def test_steps_from_the_money_then_to_that_of_now_add_up(site, html):
    rows = table(html, CHANGE)[1:]
    amounts = [row[2].number for row in rows]
    before = site.previous[~site.previous["lapsed"]]
    assert rows[0][0].text == "At risk on 1 December 2024"
    assert amounts[0] == round((before["risk"] * before["amount_12"]).sum(), 2)
    assert rows[-1][0].text == "At risk on 1 January 2025"
    assert amounts[-1] == round(site.scores.loc[~site.scores["lapsed"], "expected_loss"].sum(), 2)
    assert sum(amounts[:-1]) == pytest.approx(amounts[-1], abs=0.005 * len(rows))
    steps = {row[0].text: (row[1].text, row[2].number) for row in rows[1:-1]}
    assert steps["No longer active"] == ("2", -617.25)
    new = site.scores.loc[site.scores["account_id"] == "A001", "expected_loss"].iloc[0]
    assert steps["Active since then"] == ("1", round(new, 2))
    assert steps["Risk: signs of the loss itself"][1] > 0
    assert steps["Risk: Promises not kept"][1] < 0
    rose = amounts[-1] - amounts[0]
    assert (
        f"Since 1 December 2024 the money at risk rose by {euros(rose)}, from {euros(amounts[0])} to {euros(amounts[-1])}."
    ) in Reader(html).text
    assert f"{euros(rose)} more than on 1 December 2024" in Reader(html).text
    drawn = " ".join(svgs(section(html, "change"))[0].itertext())
    assert all(name in drawn for name in steps)


def test_the_page_says_whether_the_scoring_before_was_kept(site, html):
    assert "Compared with the scoring kept of that day." in html
    reckoned = page(replace(site, previous=site.previous.assign(kept=False)))
    assert "No earlier scoring is kept: the accounts of that day, reckoned by today’s model." in reckoned


def test_money_at_risk_that_fell_is_said_to_have_fallen(site):
    more = site.previous.assign(amount_12=site.previous["amount_12"] * 5)
    text = Reader(page(replace(site, previous=more))).text
    assert "less than on 1 December 2024" in text
    assert "Since 1 December 2024 the money at risk fell by" in text
    assert "more than on" not in text


def test_moves_of_the_risk_beyond_the_largest_are_told_together(site):
    risk = site.scores["risk"]
    groups = ["product", "staff_turnover", "neglected_details", "unequal_treatment", "natural_end"]
    many = {f"change_{code}": risk / 50 / place for place, code in enumerate(groups, start=1)}
    rows = table(page(replace(site, explanations=explanations_of(site.scores).assign(**many))), CHANGE)[1:]
    told = [row[0].text for row in rows if row[0].text.startswith("Risk: ")]
    assert len(told) == 6
    assert told[-1] == "Risk: everything else"
    amounts = [row[2].number for row in rows]
    assert sum(amounts[:-1]) == pytest.approx(amounts[-1], abs=0.005 * len(rows))


@pytest.mark.parametrize("without", ["moves", "explanations"])
def test_without_moves_the_risk_is_one_step(site, without):
    table_ = site.explanations.head(0)
    if without == "moves":
        table_ = site.explanations[["account_id", "risk_without_broken_promises", "risk_without_staff_turnover"]]
    rows = table(page(replace(site, explanations=table_)), CHANGE)[1:]
    assert [row[0].text for row in rows if "risk" in row[0].text and "At risk" not in row[0].text] == [
        "Higher or lower risk"
    ]
    amounts = [row[2].number for row in rows]
    assert sum(amounts[:-1]) == pytest.approx(amounts[-1], abs=0.005 * len(rows))


@pytest.mark.parametrize("active", [True, False])
def test_without_an_earlier_scoring_of_active_accounts_nothing_changed(site, active):
    before = site.previous.head(0) if active else site.previous.assign(lapsed=True)
    html = page(replace(site, previous=before))
    says_nothing_empty(html)
    assert "What changed" not in html
    assert "Risk times the purchases of twelve months, of active accounts." in html


def test_charts_are_images_with_a_title_in_the_colours_of_the_page(html):
    charts = svgs(html)
    assert len(charts) == 3
    for chart in charts:
        assert chart.get("role") == "img"
        first, second = list(chart)[:2]
        assert (first.tag.split("}")[1], second.tag.split("}")[1]) == ("title", "desc")
        assert chart.get("aria-labelledby") == f"{first.get('id')} {second.get('id')}"
        assert first.text
        assert second.text
        assert not re.search(r"#0[1-6]0[1-6]0[1-6]", ElementTree.tostring(chart, encoding="unicode"))
    assert "var(--grey)" in html


def test_what_people_said_is_told_by_the_reason_told_first_with_its_interval(site, html):
    record = {"words": 3, "agree": 2, "told_after": 0, "share": 2 / 3, "low": 0.208, "high": 0.939}
    found = {**site.agreement, "reasons": [{"reason": "product", **record}], "overall": record}
    part = section(page(replace(site, agreement=found)), "feedback")
    assert "4 words on 3 accounts: 2 that the reasons are right, 1 for another reason, 1 that it is handled" in words(
        part
    )
    rows = table(f'<h2 id="x">What people said of the reasons</h2>{part}', "What people said of the reasons")[1:]
    assert [[cell.text for cell in row][:3] for row in rows] == [
        ["Product no longer fits", "3", "2"],
        ["all together", "3", "2"],
    ]
    assert words(part).count("67% 21% to 94%") == 2
    assert "feedback-heading" not in page(emptied(site, "feedback"))
    assert "feedback-heading" in html


@pytest.mark.parametrize("lapsed", [True, False])
def test_without_active_or_without_lapsed_accounts(site, lapsed):
    profit = np.nan if lapsed else 1.0
    html = page(scored(site, site.scores.assign(lapsed=lapsed, contact_profit=profit)))
    assert ("There are no active accounts to list." in html) == lapsed
    assert ("There are no active accounts, so there is nothing to divide by reason." in html) == lapsed
    assert ("There are no active accounts at this date, so there is no risk to report." in html) == lapsed
    found = tiles(html)
    assert found["Money at risk"] == "" if lapsed else float(found["Money at risk"]) > 0
    assert found["Lapsed accounts"] == ("60.00" if lapsed else "0.00")


def test_without_money_nothing_is_shared_out(site):
    given = scored(site, site.scores.assign(amount_12=0.0, expected_loss=0.0))
    html = page(given)
    says_nothing_empty(html)
    assert "No documented reason is associated with this money on the data at hand." in html
    assert "Half of the money" not in html


def test_whom_to_see_first_leads_to_the_whole_list(site, html):
    part = section(html, "worklist")
    assert 'href="worklist.html"' in part
    rows = table(html, "Table of the worklist")[1:]
    do = site.worklist[site.worklist["decision"] == "do"].sort_values("profit", ascending=False)
    assert [row[1].text.split()[0] for row in rows] == do["account_id"].head(10).tolist()


def test_a_filter_offers_what_stands_in_the_rows(site):
    given = changed(site, "accounts", "A001", region="Élan <b>")
    options = re.findall(r'<option value="([^"]+)">', section(page(replace(given, top=60)), "accounts"))
    assert options == ["EI", "EII", "EIII", "EIV", "North", "South", "Élan &lt;b&gt;"]


def test_the_day_is_that_of_the_scoring(site):
    assert "as of 2 February 2025" in Reader(page(replace(site, as_of=date(2025, 2, 2)))).text
