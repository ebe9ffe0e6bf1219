"""The page of one account: who it is, what to do, why, and how accounts that once stood like it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from frames import BEFORE
from readers import section, table, words
from sites import account_page, changed, decided, links_of, with_row

from reports import account


def context(given, account_id: str = "A001"):
    links = links_of(given)
    file = links.page(account_id)
    return next(found["account"] for name, found in account.contexts(given, links) if name == file)


def explained(given, **values: object):
    """The site with other values in the explanations of A001; a column that is not there comes to be."""
    known = given.explanations
    lacking = {name: float("nan") for name in values if name not in known}
    return changed(replace(given, explanations=known.assign(**lacking)), "explanations", "A001", **values)


def facts(given, account_id: str = "A001") -> dict[str, str]:
    return dict(context(given, account_id)["facts"])


def test_there_is_a_page_for_each_account_that_has_one_riskiest_first(site):
    links = links_of(site)
    files = [file for file, _ in account.contexts(site, links)]
    ordered = site.scores[site.scores["account_id"].isin(links.paged)].sort_values("rank")["account_id"]
    assert files == [links.page(name) for name in ordered]


def test_reasons_stand_in_their_order_each_with_its_own_sentences(site):
    given = with_row(site, naming="named", reason_1="product", reason_2="staff_turnover", reason_3=None)
    found = context(given)["reasons"]
    assert [row["code"] for row in found] == ["product", "staff_turnover"]
    assert all(row["sentences"] and all(row["code"] in line for line in row["sentences"]) for row in found)


def test_a_class_that_moved_says_from_where_and_none_says_so(site):
    moved = changed(changed(site, "accounts", "A001", class_before="EI"), "accounts", "A001", **{"class": "EII"})
    assert facts(moved)["Class"] == "EII: turn around; it was EI"
    assert facts(changed(moved, "accounts", "A001", class_before="EII"))["Class"] == "EII: turn around"
    assert facts(changed(site, "accounts", "A001", **{"class": None}))["Class"].startswith("none: too new")


@pytest.mark.parametrize(
    ("values", "told", "done"),
    [
        ({"decision": "do", "why": "pays", "place": 3}, "On the worklist, place 3 of its manager’s or region’s.", True),
        ({"decision": "no_capacity", "why": "manager_full"}, "there is no time for it", False),
        ({"decision": "not_worth", "why": "let_go"}, "of the class EIV", False),
    ],
)
def test_the_step_says_first_whether_it_is_to_be_taken(site, values, told, done):
    given = changed(site, "worklist", "A001", **values)
    step = context(given)["step"]
    assert told in step["decision"]
    assert step["do"] is done
    assert ("should it be seen all the same" in words(account_page(given))) is not done


def test_horizons_are_the_columns_of_silence_in_the_unit_of_the_periods(site):
    given = with_row(site, silent_1=0.5, silent_2=0.4)
    assert context(given)["horizons"][:2] == [("1 month", 0.5), ("2 months", 0.4)]
    assert context(decided(given, period="30 days"))["horizons"][1] == ("60 days", 0.4)


def test_similar_accounts_say_how_they_ended_and_lead_to_pages_that_exist(site):
    found = context(site)["similar"]
    mine = site.similar[site.similar["account_id"] == "A001"]
    assert [row["id"] for row in found] == mine["similar_account"].tolist()
    assert [row["lost"] for row in found] == mine["lost"].tolist()
    links = links_of(site)
    assert [row["page"] for row in found] == [links.page(row["id"]) for row in found]


def test_two_candidates_are_told_as_such_with_their_shares(site):
    given = with_row(site, naming="candidates", reason_1="product", reason_2="natural_end", reason_3=None)
    given = with_row(given, share_product=0.31, share_natural_end=0.29)
    assert [(row["code"], row["share"]) for row in context(given)["reasons"]] == [
        ("product", 0.31),
        ("natural_end", 0.29),
    ]
    told = words(section(account_page(given), "why"))
    assert told.index("each of these two may be the one") < told.index("Product no longer fits (31%)")
    assert told.index("Product no longer fits (31%)") < told.index("Natural end (29%)")
    named = words(section(account_page(with_row(given, naming="named")), "why"))
    assert "each of these two" not in named
    assert "A guess" not in named


def test_a_guess_is_told_as_such_before_its_reason(site):
    given = with_row(site, naming="untried", reason_1="product", reason_2=None, reason_3=None, share_product=0.81)
    told = words(section(account_page(given), "why"))
    assert told.index("A guess: it rests on evidence worse than any") < told.index("Product no longer fits (81%)")


def test_an_account_of_which_no_reason_is_told_says_so(site):
    given = with_row(site, naming=None, reason_1=None, reason_2=None, reason_3=None)
    given = replace(given, asked=["A001"])
    assert context(given)["reasons"] == []
    assert "it is not among the riskiest" in words(section(account_page(given), "why"))


def test_a_reason_seen_only_from_afar_is_a_hypothesis_wherever_it_is_told(site):
    given = with_row(site, naming="named", reason_1="staff_turnover", reason_2="product", reason_3=None)
    then = {"since": BEFORE, "kept": True, "risk_then": 0.2, "change_staff_turnover": 0.25}
    given = explained(given, **then)
    given = changed(given, "feedback", "A001", verdict="other_reason", reason="staff_turnover")
    plain = given.reason("staff_turnover")
    given = replace(given, hypotheses=("staff_turnover",))
    found = context(given)
    for line in (found["why_now"], *found["what_if"], *found["said"]):
        assert line.count(plain) == line.count(f"Hypothesis: {plain}") == 1
    told = words(account_page(given))
    assert told.count(plain) == told.count(f"Hypothesis: {plain}") == 6  # the four above, its share, and the form
    assert "Hypothesis: Product" not in told


def test_each_part_of_why_is_told_where_it_is_known_and_else_left_out(site):
    then = {"since": BEFORE, "kept": True, "risk_then": 0.2, "change_symptom": 0.25, "risk_without_product": 0.3}
    full = with_row(explained(site, **then), naming="named", reason_1="product")
    bare = explained(full, **dict.fromkeys(then))
    bare = replace(bare, evidence=bare.evidence[bare.evidence["account_id"] != "A001"])
    bare = replace(bare, scores=bare.scores.fillna({f"share_{code}": 0.0 for code in ("competitor", "turbulence")}))
    found = context(full)
    parts = {  # heading: what stands below it
        "Why now": found["why_now"],
        "What speaks against it": "Sentence for keeping A001.",
        "What if": found["what_if"][0],
        "Cannot be seen on this data": "Taken by a competitor, Market or company turbulence",
    }
    assert found["why_now"].startswith("Since 1 December 2024 the risk rose by 30 points, from 20% to 50%")
    assert "risk 50% → 30%" in found["what_if"][0]
    told, left_out = (words(section(account_page(given), "why")) for given in (full, bare))
    for heading, what in parts.items():
        assert f"{heading} {' '.join(what.split())}" in told
        assert heading not in left_out


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (date(2023, 7, 1), "Ion Chen (M1), for 18 months"),
        (date(2024, 12, 1), "Ion Chen (M1), for 1 month"),
        (date(2024, 12, 2), "Ion Chen (M1), for 0 months"),
        (date(2023, 12, 31), "Ion Chen (M1), for 12 months"),
        (None, "Ion Chen (M1)"),
    ],
)
def test_a_manager_is_told_with_the_whole_months_so_far(site, since, told):
    given = changed(site, "accounts", "A001", manager_id="M1", manager="Ion Chen", manager_since=since)
    assert facts(given)["Manager"] == told


@pytest.mark.parametrize(
    ("as_of", "since", "months"),
    [
        (date(2024, 1, 1), date(2023, 1, 1), "12 months"),  # 365 days: a year, though shorter than 365.25
        (date(2025, 3, 1), date(2025, 2, 1), "1 month"),
        (date(2025, 2, 27), date(2025, 1, 31), "0 months"),
        (date(2025, 2, 28), date(2025, 1, 31), "1 month"),
        (date(2025, 1, 15), date(2023, 12, 16), "12 months"),
    ],
)
def test_months_of_a_manager_are_those_of_the_calendar(site, as_of, since, months):
    given = replace(changed(site, "accounts", "A001", manager_id="M1", manager=None, manager_since=since), as_of=as_of)
    assert facts(given)["Manager"] == f"M1, for {months}"


def test_nothing_is_told_of_what_is_not_known_of_an_account_but_for_the_class(site):
    unknown = dict.fromkeys(
        ("region", "manager_id", "manager", "manager_since", "class", "kind", "size", "first_order_on", "last_order_on")
    )
    given = changed(site, "accounts", "A001", **unknown, stability=float("nan"))
    assert set(facts(given)) == {"Class", "Purchases of the last year"}


def test_a_lapsed_account_has_the_decision_of_win_back_with_its_terms(site):
    values = {"decision": "talk", "who": "sales director", "chance": 0.31, "value": 1200.0, "cost": 80.0}
    given = changed(site, "win_back", "A000", **values, profit=292.0)
    found = context(given, "A000")
    assert (found["lapsed"], found["action_profit"]) == (True, None)
    step = found["step"]
    assert step["what"] == "Talk to the decision-maker (sales director)"
    terms = " ".join(step["terms"].split())
    assert terms == (
        "Chance of an order 31%; a year is worth EUR 1,200, approaching it costs EUR 80: expected net profit EUR 292."
    )
    assert (step["decision"], step["do"]) == ("", True)
    assert context(changed(given, "win_back", "A000", who=None), "A000")["step"]["what"] == "Talk to the decision-maker"


def test_without_a_decision_there_is_no_step(site):
    given = replace(site, worklist=site.worklist[site.worklist["account_id"] != "A001"], asked=["A001"])
    assert context(given)["step"] is None
    assert 'id="step-heading"' not in account_page(given)


def test_a_similar_account_leads_only_to_a_page_that_is_there(site):
    rows = {
        row[0].text.split()[0]: row
        for row in table(account_page(site), "Similar past accounts, and how they ended")[1:]
    }
    assert rows["A002"][0].links == ["../accounts/A002.html"]
    assert rows["A002"][3].text == "lost: no order within 3 months"
    assert rows["Z9"][0].links == []
    assert rows["Z9"][3].text == "it ordered again"


def test_what_was_said_stands_latest_first_with_who_said_it(site):
    assert context(site)["said"] == [
        "9 December 2024, Ion: It is another reason: Product no longer fits",
        "3 November 2024, Eva: The reasons are right",
    ]
    assert context(site, "A002")["said"] == ["1 December 2024, unknown: Already handled"]
    silent = next(name for name in site.worklist["account_id"] if name not in set(site.feedback["account_id"]))
    assert context(replace(site, asked=[silent]), silent)["said"] == []


def test_a_horizon_that_is_not_known_is_left_out(site):
    given = with_row(site, silent_1=float("nan"), silent_2=0.4)
    assert context(given)["horizons"][0] == ("2 months", 0.4)
