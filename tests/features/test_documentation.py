"""The declarations are whole, and the pages written from them hold every feature, table and column."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest
import yaml

from features.catalog import FEATURES, THEMES, needs_of
from features.documentation import features_page, row, tables_page
from features.tables import TABLES

ROOT = Path(__file__).parents[2]


def test_a_cell_cannot_end_early():
    assert row(["a|b", "c"]) == "| a\\|b | c |"


def test_every_feature_and_every_column_has_its_row():
    page = features_page()
    assert all(f"\n| `{feature.name}` | " in page for feature in FEATURES)
    sections = tables_page().split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == list(TABLES)
    for section, table in zip(sections, TABLES.values(), strict=True):
        assert re.findall(r"^\| `(\w+)` ", section, re.MULTILINE) == [column.name for column in table.columns]


def test_the_page_of_tables_says_what_a_column_may_hold():
    page = tables_page()
    assert "| `due_on` | day it is owed | date |  |  | yes |  | may lie in the future |" in page
    assert "| `severity` | 1 (slight) to 5 (grave) | integer |  |  | yes |  | 1 to 5 |" in page
    assert "| `region` | its sales region | text |  |  | yes | snapshot |  |" in page
    assert "| `paid_on` | day it was paid | date |  |  | yes | `paid_on` |  |" in page
    assert "| `kind` | visit, call or mail | text |  |  | yes |  | `visit`, `call`, `mail` |" in page


def test_every_documented_reason_has_evidence_of_sixty_to_ninety_features():
    codes = {reason["code"] for reason in yaml.safe_load((ROOT / "reasons.yaml").read_text())["reasons"]}
    evidence = [feature for feature in FEATURES if feature.reason in codes]
    assert {feature.reason for feature in evidence} == codes
    assert {feature.reason for feature in FEATURES} - codes == {"symptom", "context"}
    assert 60 <= len(evidence) <= 90


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_declaration_is_whole(feature):
    assert feature.doc.endswith((".", ")")) or "(" in feature.doc or ":" in feature.doc
    assert "{w}" not in feature.doc + feature.sentence
    names = {name for _, name, _, _ in Formatter().parse(feature.sentence) if name}
    assert "value" in names
    assert names <= {"value", "since", *(other.name for other in FEATURES)}
    assert ("since" in names) == feature.since
    assert feature.reason in ("symptom", "context") or feature.direction in ("rises", "falls")
    if feature.low is not None and feature.high is not None:
        assert feature.low < feature.high
    for table, columns in needs_of(feature).items():
        assert columns <= {column.name for column in TABLES[table].columns}


CURED = [feature for feature in FEATURES if feature.cured is not None]


@pytest.mark.parametrize("feature", CURED, ids=lambda feature: feature.name)
def test_only_a_cause_that_the_company_can_remove_is_cured_and_then_wholly(feature):
    taxonomy = yaml.safe_load((ROOT / "reasons.yaml").read_text())["reasons"]
    assert feature.reason in {reason["code"] for reason in taxonomy if reason["controllable"]}
    if feature.cured == "peers":
        assert feature.direction == "falls"  # there can be too little of attention, and only of attention
        assert feature.theme == "attention"
    else:
        assert feature.cured == (feature.low if feature.direction == "rises" else feature.high)


def test_what_is_open_now_is_cured_and_what_is_over_is_not():
    cured = {feature.name: feature.cured for feature in FEATURES}
    assert (cured["rebates_overdue"], cured["complaints_open_oldest"], cured["visited_since"]) == (0, 0, 1)
    assert cured["contacts_against_peers_3"] == "peers"
    assert cured["rebate_delay_3"] is cured["complaints_3"] is cured["manager_tenure"] is cured["recency"] is None


def test_names_are_unique_and_files_are_named_for_their_themes():
    names = [feature.name for feature in FEATURES]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert all((ROOT / "features" / f"{theme.name}.py").exists() for theme in THEMES)
