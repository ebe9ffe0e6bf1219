"""The documented reasons and what given features can show of them."""

import json
from pathlib import Path

import pytest
import yaml

from features.catalog import FEATURES
from features.tables import TABLES
from models.taxonomy import hypotheses, observable, taxonomy

NAMES = ["recency", "amount_12", "rebates_overdue", "manager_absent", "return_share_12"]


def test_observable_reasons_come_from_the_declarations():
    assert observable(["recency"]) == ()
    assert observable(NAMES) == ("broken_promises", "staff_turnover", "product")


def test_every_code_has_its_names_in_four_languages():
    for names in taxonomy().names.values():
        assert set(names) == {"en", "zh_Hans", "zh_Hant", "ro"}
        json.dumps(names)


def test_every_reason_in_the_companys_control_has_a_remedy_and_features_that_it_cures():
    content = yaml.safe_load((Path(__file__).parents[2] / "reasons.yaml").read_text(encoding="utf-8"))
    assert set(taxonomy().remedies) == {item["code"] for item in content["reasons"] if item["controllable"]}
    cured = {feature.reason for feature in FEATURES if feature.cured is not None}
    assert cured == set(taxonomy().remedies)


def test_a_rival_or_a_shock_seen_only_from_afar_is_a_hypothesis():
    assert set(taxonomy().tables.values()) <= set(TABLES)
    assert hypotheses(["wallet_share_3"]) == ()  # from competitor_signals
    assert hypotheses(["company_season"]) == ("turbulence",)  # from orders
    assert hypotheses(["company_season", "events_company_recent"]) == ()
    assert hypotheses(["rebates_overdue", "recency"]) == ()


def test_the_shares_that_document_004_gives_are_all_placed_and_only_a_natural_end_is_nobodys_fault():
    shares = taxonomy().documented_shares
    assert shares == {"neglected_details": 0.67, "product": 0.15, "competitor": 0.09, "natural_end": 0.09}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert taxonomy().objective == {"natural_end"}
