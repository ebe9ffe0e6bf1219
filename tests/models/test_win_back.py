"""Win-back: the mean chance is that of the Beta, who costs more than he brings is left, and closing takes certainty."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from features.errors import ContractError
from models.approaches import Approaches
from models.campaign import Economics
from models.profit import Terms
from models.win_back import WinBack, chances, new_contacts, posterior, win_back

TERMS = WinBack(former=0.4, new=0.05, prior_accounts=10, contacts=3, talk_by="sales director")
ECONOMICS = Economics(0.25, 10.0, 0.05, 0.0, 0.0, 0.4, 10)
COSTS = Terms(contact=10.0, incentive=5.0, incentive_share=0.1, alpha=4, beta=6)


def own(trials, ordered, approached=True):
    rows = pd.DataFrame({"account_id": [], "as_of": []})
    return Approaches(approached, trials, ordered, trials, (date(2024, 3, 15),), rows)


def lapsed(**columns):
    frame = pd.DataFrame(
        {
            "account_id": list("ABCDE"),
            "risk": [0.9] * 5,
            "yearly": [4000.0] * 5,
            "naming": ["named"] * 5,
            "reason_1": ["natural_end"] * 5,
            "strategic": [False] * 5,
        }
    )
    return frame.assign(**columns)


def decided(frame, mean=0.4):
    told = win_back(frame, mean, ECONOMICS, COSTS, TERMS, {"natural_end"})
    return told.set_index("account_id")["decision"].reindex(frame["account_id"]).tolist()


def test_the_documents_alone_then_own_data():
    alone = posterior(TERMS, own(0, 0), 0.8)
    assert alone["value"] == 0.4
    assert (alone["trials"], alone["own"]) == (0, None)
    np.testing.assert_allclose([alone["low"], alone["high"]], beta.ppf([0.1, 0.9], 4, 6))
    much = posterior(TERMS, own(990, 54, False), 0.8)
    assert much["value"] == pytest.approx((4 + 54) / 1000)
    assert much["own"] == pytest.approx(54 / 990)
    assert much["high"] < 0.1
    assert not much["approached"]
    assert much["cutoffs"] == ["2024-03-15"]


def test_new_contacts_are_told_by_the_documents_until_prospects_can_be_followed():
    alone = new_contacts(TERMS, None, 0.8)
    assert (alone["value"], alone["trials"], alone["own"]) == (0.05, 0, None)
    followed = new_contacts(TERMS, np.array([1.0, 0.0, 0.0, 1.0]), 0.8)
    assert followed["value"] == pytest.approx((0.5 + 2) / 14)
    assert followed["own"] == 0.5


@given(
    risk=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    mean=st.floats(0.01, 0.99),
)
def test_chances_have_the_mean_and_keep_the_order(risk, mean):
    risk = np.array(risk)
    chance = chances(risk, mean)
    assert chance.mean() == pytest.approx(mean, abs=1e-9)
    order = np.argsort(risk, kind="stable")
    assert (np.diff(chance[order]) <= 1e-12).all()


def test_the_mean_is_that_of_those_who_were_approached():
    approached, everyone = np.array([0.5, 0.7]), np.array([0.5, 0.7, 0.99, 0.99])
    chance = chances(everyone, 0.6, approached)
    assert chance[:2].mean() == pytest.approx(0.6)
    assert chance.mean() < 0.4
    np.testing.assert_array_equal(chances(everyone, 0.6, np.zeros(0)), chances(everyone, 0.6))
    assert len(chances(np.zeros(0), 0.4)) == 0


def test_what_an_approach_is_worth():
    row = win_back(lapsed().head(1), 0.4, ECONOMICS, COSTS, TERMS, set()).iloc[0]
    assert (row["value"], row["cost"]) == (1000.0, 30.0)
    assert row["chance"] == pytest.approx(0.4)
    assert row["profit"] == pytest.approx(0.4 * (1000 - 5 - 100) - 30)
    assert (row["decision"], row["who"], row["place"]) == ("talk", "sales director", 1)


def test_closed_only_where_nobody_is_at_fault_and_it_is_known_not_to_be_strategic():
    assert decided(lapsed()) == ["close"] * 5
    strategic = pd.array([False, True, pd.NA, False, False], dtype="boolean")
    frame = lapsed(strategic=strategic, naming=["named", "named", "named", "candidates", None])
    assert decided(frame) == ["close", "talk", "talk", "talk", "talk"]
    assert decided(lapsed().drop(columns="strategic")) == ["talk"] * 5
    assert decided(lapsed(reason_1="competitor")) == ["talk"] * 5


def test_left_where_it_costs_more_than_it_brings_unless_strategic():
    frame = lapsed(yearly=[100.0, 100.0, 4000.0, 100.0, 0.0], reason_1="competitor")
    strategic = pd.array([False, True, False, pd.NA, False], dtype="boolean")
    assert decided(frame.assign(strategic=strategic)) == ["leave", "talk", "talk", "leave", "leave"]


def test_the_order_is_certain_and_nothing_is_changed():
    frame = lapsed(yearly=[50.0, 4000.0, 9000.0, 4000.0, 9000.0], reason_1=["competitor"] * 4 + ["natural_end"])
    before = frame.copy()
    told = win_back(frame, 0.4, ECONOMICS, COSTS, TERMS, {"natural_end"})
    pd.testing.assert_frame_equal(frame, before)
    assert told["account_id"].tolist() == ["C", "B", "D", "A", "E"]
    assert told["decision"].tolist() == ["talk", "talk", "talk", "leave", "close"]
    assert told["who"].tolist()[2:] == ["sales director", None, "account manager"] or told["who"].isna()[3]
    assert told["place"].tolist() == [1, 2, 3, 4, 5]
    again = win_back(frame.iloc[::-1], 0.4, ECONOMICS, COSTS, TERMS, {"natural_end"})
    pd.testing.assert_frame_equal(again, told)
    assert win_back(frame.head(0), 0.4, ECONOMICS, COSTS, TERMS, set()).empty


def test_a_missing_column_is_named():
    with pytest.raises(ContractError, match="Missing columns: yearly"):
        win_back(lapsed().drop(columns="yearly"), 0.4, ECONOMICS, COSTS, TERMS, set())
