"""Classes, managers, win-back, prospects and economics as their pages tell them."""

from __future__ import annotations

import pytest
from sites import decided, emptied, links_of

from reports import classes, economics, hindsight, managers, portfolio, prospects, win_back
from reports.words import money


def test_the_heat_map_divides_the_same_money_by_class(site):
    told = site.active[site.active["naming"].notna()]
    rows = portfolio._by_reason(site, told)
    heat = classes.heat(site, told, [row["code"] for row in rows])
    for row, cells in zip(rows, heat["rows"], strict=True):
        assert cells["code"] == row["code"]
        assert sum(cell["money"] for cell in cells["cells"]) == pytest.approx(row["money"])
    shades = [float(cell["shade"]) for row in heat["rows"] for cell in row["cells"]]
    assert max(shades) == pytest.approx(classes.DEEPEST, abs=0.01)
    assert min(shades) >= 0


def test_movement_counts_every_account_once_and_shades_those_that_moved(site):
    found = classes.context(site)["migration"]
    cells = site.decided["migration"]["cells"]
    assert sum(cell["accounts"] for row in found["rows"] for cell in row["cells"]) == sum(c["accounts"] for c in cells)
    stayed = [row["cells"][place] for place, row in enumerate(found["rows"][:-1])]
    assert {cell["shade"] for cell in stayed} == {""}


def test_without_thresholds_there_is_too_little_history_for_classes(site):
    segments = {**site.decided["segments"], "stability": None}
    assert "too little history" in classes.context(decided(site, segments=segments))["definition"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"trials": 611, "ordered": 138, "own": 0.226, "approached": True}, "Of 611 approaches"),
        ({"trials": 611, "ordered": 138, "own": 0.226, "approached": False}, "No table says who was approached"),
        ({"trials": 0, "ordered": 0, "own": None, "approached": True}, "say nothing of it yet"),
    ],
)
def test_win_back_says_what_its_chance_rests_on(site, values, told):
    given = decided(site, win_back={**site.decided["win_back"], **values})
    assert told in win_back.context(given, links_of(given))["win_back"]["findings"][-1]


def test_talks_that_pay_are_told_apart_from_those_with_strategic_accounts(site):
    talk = site.win_back[site.win_back["decision"] == "talk"]
    pays = talk[talk["profit"] > 0]
    assert 0 < len(pays) < len(talk)
    sentence = win_back.context(site, links_of(site))["win_back"]["sentence"]
    assert sentence.startswith(f"{len(site.win_back)} accounts had already been silent for 3 months or longer.")
    assert f"expected to pay with {len(pays)} of them, to earn {money(pays['profit'].sum(), 'EUR')};" in sentence
    assert f"with {len(talk) - len(pays)} more it does not pay" in sentence


def test_decisions_on_lapsed_accounts_add_up(site):
    found = win_back.context(site, links_of(site))["win_back"]
    assert sum(row["accounts"] for row in found["decisions"]) == len(site.win_back)
    assert sum(row["profit"] for row in found["decisions"]) == pytest.approx(site.win_back["profit"].sum())
    assert "No account scored has lapsed" in win_back._sentence(emptied(site, "win_back"))


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ("assignments", "Without assignments it is not known"),
        ("model", "no feature of managers"),
        (None, "Nobody looks"),
    ],
)
def test_what_lacks_to_tell_of_managers_is_said(site, lacking, told):
    given = decided(emptied(site, "managers", "leavers"), leavers={**site.decided["leavers"], "lacking": lacking})
    assert told in managers.context(given, links_of(given))["managers"]["sentence"]


def test_the_list_for_the_day_a_manager_resigns_has_his_active_accounts_by_what_comes_on_top(site):
    for mine in managers.context(site, links_of(site))["managers"]["lists"]:
        on_top = [row["expected_loss_if_left"] - row["expected_loss"] for row in mine["rows"]]
        assert on_top == sorted(on_top, reverse=True)
        lapsed = set(site.scores.loc[site.scores["lapsed"], "account_id"])
        assert not lapsed & {row["id"] for row in mine["rows"]}


def test_prospects_are_counted_once_in_a_class_or_in_none(site):
    found = prospects.context(site, links_of(site))["prospects"]
    assert sum(row["prospects"] for row in found["classes"]) == len(site.prospects)
    none = decided(emptied(site, "prospects"), prospects={"high": None, "lacking": "prospects"})
    assert "no table prospects" in prospects.context(none, links_of(none))["prospects"]["sentence"]


@pytest.mark.parametrize(
    ("unit", "value", "shown"), [("share", 0.2259, "22.6%"), ("points", 6.84, "+6.8"), ("months", 14.2, "14.2")]
)
def test_what_was_measured_stands_in_its_unit_and_what_cannot_be_says_why(site, unit, value, shown):
    record = {
        **{"code": "x", "claim": "A claim.", "documents": ["004"], "unit": unit, "years": None, "cannot": None},
        **{"measured": "It is {value} of {n}.", "documented": {"low": 0.4, "high": 0.4}},
        "own": {"value": value, "low": value, "high": None, "n": 1200},
    }
    given = decided(site, economics=[record, {**record, "own": None, "cannot": "It cannot be seen."}])
    first, second = economics.context(given, links_of(given))["economics"]
    assert first["measured"] == f"It is {shown} of 1,200."
    assert (second["measured"], second["why_not"]) == (None, "It cannot be seen.")


def test_past_scorings_stand_before_the_test_cut_offs(site):
    row = {"as_of": "2024-06-01", "accounts": 30, "expected": 4.2, "lost": 5, "top_rate": 0.4}
    given = decided(site, hindsight={**site.decided["hindsight"], "scorings": [row]})
    found = hindsight.context(given)
    assert found["rows"][0] == {"day": "1 June 2024", "accounts": 30, "expected": 4.2, "lost": 5, "hit_rate": 0.4}
    assert [row["day"] for row in found["rows"][1:]] == ["test cut-off 1 August 2024", "test cut-off 1 September 2024"]
    assert "1 scoring kept has matured" in found["sentence"]
