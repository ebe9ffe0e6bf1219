"""Classes as the portfolio shows them: the heat map, the table, movement, and what is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sites import decided, emptied, scored

from models.segments import CLASSES, GONE, NEW, UNCLASSED
from reports import classes, portfolio

HEADS = [*CLASSES, "no class"]


def heat(site):
    told = site.active[site.active["naming"].notna()]
    return told, classes.heat(site, told, [row["code"] for row in portfolio._by_reason(site, told)])


def test_a_cell_of_the_heat_map_is_the_money_of_its_reason_and_class(site):
    told, found = heat(site)
    assert found["heads"] == HEADS
    kinds = told["account_id"].map(site.accounts.set_index("account_id")["class"]).fillna("no class")
    for row in found["rows"]:
        money = (told["expected_loss"] * told[f"share_{row['code']}"]).groupby(kinds).sum()
        assert [cell["money"] for cell in row["cells"]] == pytest.approx([money[head] for head in HEADS])


def test_shades_of_the_heat_map_go_by_money(site):
    _, found = heat(site)
    cells = sorted((cell["money"], float(cell["shade"])) for row in found["rows"] for cell in row["cells"])
    shades = [shade for _, shade in cells]
    assert shades == sorted(shades)
    assert shades[-1] == classes.DEEPEST
    assert all(shade == pytest.approx(classes.DEEPEST * money / cells[-1][0], abs=0.006) for money, shade in cells)


def test_without_money_nothing_is_shaded(site):
    given = scored(site, site.scores.assign(expected_loss=0.0))
    assert {cell["shade"] for row in heat(given)[1]["rows"] for cell in row["cells"]} == {"0"}


def test_there_is_no_heat_map_without_classes_or_reasons(site):
    told = site.active
    assert classes.heat(site, told, []) is None
    unclassed = replace(site, accounts=site.accounts.assign(**{"class": None}))
    assert classes.heat(unclassed, told, ["product"]) is None


def test_the_table_has_every_active_account_once(site):
    rows = classes.context(site)["rows"]
    assert [row["name"] for row in rows] == HEADS
    assert sum(row["accounts"] for row in rows) == len(site.active)
    assert sum(row["money"] for row in rows) == pytest.approx(site.active["expected_loss"].sum())
    assert sum(row["amount"] for row in rows) == pytest.approx(site.active["amount_12"].sum())
    mine = site.active[site.active["account_id"].isin(site.accounts.loc[site.accounts["class"] == "EI", "account_id"])]
    assert rows[0]["risk"] == pytest.approx(mine["risk"].mean())
    assert (rows[-1]["strategy"], rows[-1]["what"]) == ("", "Too new, or with too few orders, to be classed.")


def test_sizes_and_kinds_have_every_active_account_once_and_none_that_is_empty(site):
    found = {row["name"]: row["accounts"] for row in classes.context(site)["kinds"]}
    for names in (classes.SIZE_NAMES, classes.KIND_NAMES):
        assert sum(found.get(name, 0) for name in names.values()) == len(site.active)
    assert all(found.values())
    assert classes.KIND_NAMES["black_list"] not in found


def test_without_active_accounts_there_is_nothing_to_tell_of_classes(site):
    assert classes.context(emptied(site, "accounts")) is None
    assert classes.context(scored(site, site.scores.assign(lapsed=True))) is None


def moved(site, *cells: tuple[str, str, int]):
    rows = [{"class_before": before, "class_now": now, "accounts": accounts} for before, now, accounts in cells]
    return classes.context(decided(site, migration={"since": "2024-12-01", "cells": rows}))["migration"]


def test_movement_stands_from_row_to_column_shaded_by_its_size(site):
    found = moved(site, ("EI", "EI", 90), ("EI", "EII", 8), (UNCLASSED, "EIV", 4), (NEW, "EIII", 2), ("EII", GONE, 1))
    rows = [row["name"] for row in found["rows"]]
    assert (rows, found["heads"]) == ([*HEADS, "new"], [*HEADS, "gone"])
    told = {
        (name, head): (cell["accounts"], cell["shade"])
        for name, row in zip(rows, found["rows"], strict=True)
        for head, cell in zip(found["heads"], row["cells"], strict=True)
    }
    assert {place: cell for place, cell in told.items() if cell[0]} == {
        ("EI", "EI"): (90, ""),
        ("EI", "EII"): (8, "0.60"),
        ("no class", "EIV"): (4, "0.30"),
        ("new", "EIII"): (2, "0.15"),
        ("EII", "gone"): (1, "0.07"),
    }
    assert "on 1 December 2024 (rows) and on 1 January 2025 (columns)" in found["caption"]


def test_where_nobody_moved_nothing_is_shaded_and_without_a_scoring_before_there_is_no_matrix(site):
    found = moved(site, ("EI", "EI", 5))
    assert {cell["shade"] for row in found["rows"] for cell in row["cells"]} == {"", "0"}
    assert moved(site) is None


@pytest.mark.parametrize("lacking", ["contribution", "stability"])
def test_without_either_threshold_no_other_is_told(site, lacking):
    segments = site.decided["segments"]
    assert "high from 60%" in classes._definition(site)
    definition = classes._definition(decided(site, segments={**segments, lacking: None}))
    assert definition.startswith("There is too little history for classes")


def test_kinds_that_are_not_known_on_this_data_are_told_in_words(site):
    given = decided(site, kinds={"not_known": ["black_list", "unheard_of", "adept"], "prospects": {}})
    first, *notes = classes.context(given)["notes"]
    assert "The largest fifth of the accounts makes" in first
    assert notes == [f"Not known on this data: {classes.KIND_NAMES[code]}." for code in ("black_list", "adept")]
