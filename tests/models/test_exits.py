"""Exits teach what they can, say by how much it helped, and refuse where it would not."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.periods import Duration
from models import exits
from models.exits import HALF_LIFE, Exits, counted, hazards_at_loss, learn, read
from models.shares import Weights, shares
from models.taxonomy import taxonomy

CODES = taxonomy().codes
WEIGHTS = Weights(0.65, 0.001, 0.11, {})
EXCUSE = "competitor"


def losses(count: int, seed: int, doubled: str | None = "product", evidence: float = 1.0):
    """Hazards, and true reasons drawn by shares in which one reason weighs three times what its evidence says."""
    rng = np.random.default_rng(seed)
    hazards = pd.DataFrame(
        rng.exponential(1, (count, 8)) * (rng.random((count, 8)) < 0.3) * evidence,
        columns=list(CODES),
        index=[f"A{number}" for number in range(count)],
    )
    offsets = {doubled: np.log(3)} if doubled else {}
    chance = shares(hazards, Weights(0.65, 0.001, 0.11, offsets)).to_numpy()
    drawn = (chance.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return hazards, pd.Series(np.array([*CODES, "unexplained"])[drawn], index=hazards.index)


def exits_of(count: int, audited: int, seed: int = 1, **market) -> Exits:
    """Managers write an excuse in place of `broken_promises` and `neglected_details` where nobody checks."""
    hazards, reason = losses(count, seed, **market)
    checked = pd.Series(np.arange(count) < audited, index=reason.index)
    own = reason.isin(["broken_promises", "neglected_details"])
    return Exits(hazards, reason.where(checked | ~own, EXCUSE), checked, 0.0 * checked)


def of(given: Exits, rows) -> Exits:
    return Exits(*(part.iloc[rows] for part in (given.hazards, given.reason, given.audited, given.age)))


def accuracy(offsets, seed=99):
    hazards, reason = losses(4000, seed)
    share = shares(hazards, Weights(0.65, 0.001, 0.11, offsets))
    return (share.idxmax(axis=1).str.removeprefix("share_") == reason).mean()


def test_fewer_than_fifty_audited_exits_teach_nothing():
    found = learn(exits_of(300, 49), WEIGHTS, 1)
    assert "offsets" not in found
    assert (found["audited"], found["unaudited"]) == (49, 251)
    assert found["why"].startswith("Nothing was learned: 49 audited exits are there, 50 are needed.")


def test_exits_teach_which_reason_weighs_more_and_more_of_them_teach_more():
    given, many = exits_of(400, 400, seed=2), learn(exits_of(2000, 2000), WEIGHTS, 1)
    few = learn(given, WEIGHTS, 1)["offsets"]["product"]
    again = [pd.concat([part] * 5) for part in (given.hazards, given.reason, given.audited, given.age)]
    assert 0.2 < few < learn(Exits(*again), WEIGHTS, 1)["offsets"]["product"]
    assert many["offsets"]["product"] - many["offsets"]["turbulence"] == pytest.approx(np.log(3), abs=0.3)
    assert accuracy(many["offsets"]) > accuracy({}) + 0.02
    gain = many["accuracy"]
    assert gain["after"] - gain["before"] == pytest.approx(gain["gain"])
    assert gain["low"] < gain["gain"] < gain["high"]
    assert many["why"] == "Learned from 2000 audited exits."


def test_an_exit_counts_half_after_half_a_year_and_what_the_market_was_like_is_forgotten():
    given = exits_of(800, 800)
    twice = np.repeat(np.arange(800), 2)
    aged = learn(replace(of(given, twice), age=pd.Series(HALF_LIFE, index=given.age.index[twice])), WEIGHTS, 1)
    assert aged["offsets"] == pytest.approx(learn(given, WEIGHTS, 1)["offsets"], abs=1e-3)

    recent = exits_of(400, 400, doubled="staff_turnover", seed=4)
    both = [pd.concat([getattr(one, part) for one in (given, recent)]) for part in ("hazards", "reason", "audited")]
    old = pd.Series(np.repeat([1000.0, 0.0], [800, 400]), index=both[0].index)
    changed, alike = (learn(Exits(*both, age), WEIGHTS, 1)["offsets"] for age in (old, 0.0 * old))
    assert changed["staff_turnover"] > alike["staff_turnover"] + 0.2
    assert changed["product"] < alike["product"] - 0.2


def test_what_managers_write_counts_through_a_confusion_matrix_only():
    given = exits_of(2500, 120)
    found = learn(given, WEIGHTS, 1)
    assert found["used"] == "all"
    written = found["written_when_true"]
    assert written["broken_promises"][EXCUSE] > 0.5 > written["broken_promises"]["broken_promises"]
    assert written["product"]["product"] > 0.5
    naive = learn(replace(given, audited=given.audited | True), WEIGHTS, 1)
    assert accuracy(found["offsets"]) > accuracy(naive["offsets"]) + 0.02
    assert accuracy(found["offsets"]) >= accuracy(learn(exits_of(120, 120), WEIGHTS, 1).get("offsets", {})) - 0.005


def test_where_the_evidence_says_it_all_nothing_is_learned():
    told = [learn(exits_of(60, 60, seed=seed, doubled=None), WEIGHTS, 1) for seed in range(20)]
    nothing = [found for found in told if found["used"] == "nothing"]
    assert len(nothing) >= 13  # by chance some held-out exits agree
    assert all("offsets" not in found for found in nothing)
    assert nothing[0]["why"].startswith("Nothing was learned: on held-out exits of the 60 audited ones")


def test_an_exit_for_what_nothing_shows_or_cannot_be_seen_teaches_nothing():
    given = exits_of(300, 300)
    hazards = given.hazards.drop(columns="turbulence").assign(natural_end=0.0)
    found = learn(replace(given, hazards=hazards), WEIGHTS, 1)
    hidden = given.reason.isin(["turbulence", "natural_end"])
    assert found["unshown"] == hidden.sum() > 10
    assert found["audited"] == (~hidden).sum()
    assert "turbulence" not in found.get("offsets", {})
    without = learn(of(replace(given, hazards=hazards), np.flatnonzero(~hidden)), WEIGHTS, 1)
    assert {**found, "unshown": 0} == without


def table(*rows):
    return pd.DataFrame(rows, columns=["account_id", "recorded_on", "reason", "audited"])


def test_an_audited_row_counts_before_what_was_written_and_both_are_a_pair():
    hazards = pd.DataFrame({"product": [1.0, 2.0, 3.0]}, index=["A", "B", "C"])
    given, left = read(
        table(
            ("A", pd.Timestamp("2024-01-01"), "competitor", False),
            ("A", pd.Timestamp("2024-02-01"), "product", True),
            ("B", pd.Timestamp("2024-01-01"), "natural_end", None),
            ("C", pd.Timestamp("2024-01-01"), "nonsense", True),
            ("D", pd.Timestamp("2024-01-01"), "product", True),
        ),
        hazards,
        date(2024, 1, 31),
    )
    assert given.reason.to_dict() == {"A": "product", "B": "natural_end"}
    assert given.audited.to_dict() == {"A": True, "B": False}
    assert given.age.to_dict() == {"A": 0.0, "B": 30.0}  # A's was found out only afterwards
    assert given.written.dropna().to_dict() == {"A": "competitor"}
    assert given.hazards["product"].tolist() == [1.0, 2.0]
    assert left == 2


def test_pairs_are_evidence_for_the_confusion_matrix():
    given = exits_of(2500, 120)
    written = given.reason.where(given.reason != "broken_promises", EXCUSE).where(given.audited)
    without, with_pairs = (
        learn(given, WEIGHTS, 1),
        learn(replace(given, written=written), WEIGHTS, 1),
    )
    assert (without["pairs"], with_pairs["pairs"]) == (0, 120)
    assert (
        with_pairs["written_when_true"]["broken_promises"][EXCUSE]
        > without["written_when_true"]["broken_promises"][EXCUSE]
    )


def test_the_loss_that_counts_of_an_account_lost_twice_is_told_with_its_own_day_and_no_later_word():
    rows = counted(
        table(
            ("A", date(2021, 2, 1), "turbulence", False),
            ("A", date(2021, 3, 1), "product", True),
            ("A", date(2024, 5, 1), "competitor", False),  # lost again: not what the manager said of 2021
            ("B", date(2021, 3, 1), "product", False),
            ("B", date(2024, 5, 1), "competitor", False),
            ("C", date(2021, 3, 1), "product", True),
            ("C", date(2021, 2, 1), "nonsense", False),
        )
    )
    assert rows["reason"].to_dict() == {"A": "product", "B": "competitor", "C": "product"}
    assert rows["written"].dropna().to_dict() == {"A": "turbulence"}
    assert rows["recorded_on"].dt.date.to_dict() == {
        "A": date(2021, 3, 1),
        "B": date(2024, 5, 1),
        "C": date(2021, 3, 1),
    }


def test_what_was_written_of_held_out_exits_is_held_out_too(monkeypatch):
    given, seen = exits_of(300, 60), []
    real = exits._offsets

    def recorded(audited, others, pairs):
        seen.append((len(audited.said), int(pairs.sum())))
        return real(audited, others, pairs)

    monkeypatch.setattr(exits, "_offsets", recorded)
    learn(replace(given, written=given.reason.where(given.audited)), WEIGHTS, 1)
    assert set(seen[:20]) == {(54, 54)}  # ten folds of six, with and without the unaudited
    assert set(seen[20:]) <= {(60, 60)}


def test_hazards_are_those_of_the_last_cut_off_at_which_the_account_still_bought():
    class Why:
        class recipe:
            lags = 1

        def hazards_by_account(self, rows):
            return rows.groupby("account_id")["recency"].agg(list).to_frame()

    days = [date(2024, month, 1) for month in (1, 2, 3, 4, 5)]
    matrix = pd.DataFrame(
        {"account_id": ["A"] * 5 + ["B"] * 5, "as_of": days * 2, "recency": range(10), "lapsed": False}
    )
    matrix.loc[3:4, "lapsed"] = True  # A: silent from April on
    recorded = pd.Series(
        {"A": pd.Timestamp("2024-05-20"), "B": pd.Timestamp("2024-02-15"), "C": pd.Timestamp("2024-02-15")}
    )
    found = hazards_at_loss(Why(), matrix, Duration(1, "month"), recorded)["recency"].to_dict()
    assert found == {"A": [1, 2], "B": [5, 6]}  # nothing of B after its loss was recorded
