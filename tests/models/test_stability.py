"""Between bags the same reasons come first, and a placebo gets next to nothing."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from risk_recipes import CAUSES as RECIPE

from models.competing import fit
from models.stability import between_bags, placebo_share, swapped, top_changes

NAMES = ["recency", "rebates_overdue", "manager_absent"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    count = 5000
    overdue, absent = rng.random(count) < 0.15, rng.random(count) < 0.15
    label = rng.random(count) < 0.03 + 0.4 * overdue + 0.4 * absent
    return pd.DataFrame(
        {
            "account_id": [f"A{number}" for number in range(count)],
            "as_of": date(2024, 1, 1),
            "recency": rng.gamma(2, 10, count) + 40 * label,
            "rebates_overdue": overdue * rng.integers(1, 4, count),
            "manager_absent": absent * rng.integers(20, 200, count).astype(float),
            "label": label.astype(float),
            "lapsed": False,
        }
    )


def share(*rows):
    return pd.DataFrame(rows, columns=["share_competitor", "share_product", "share_unexplained"])


def test_changes_are_counted_over_all_and_where_the_share_is_large():
    one = share([0.6, 0.3, 0.1], [0.4, 0.35, 0.25], [np.nan, 0.2, 0.8], [0.1, 0.7, 0.2])
    other = share([0.3, 0.6, 0.1], [0.35, 0.4, 0.25], [np.nan, 0.1, 0.9], [0.2, 0.6, 0.2])
    assert top_changes(one, other) == {"all": 0.5, "large": pytest.approx(1 / 3)}
    assert top_changes(one, one) == {"all": 0, "large": 0}


def test_where_no_share_is_large_nothing_is_said_of_them():
    flat = share([0.4, 0.3, 0.3])
    assert np.isnan(top_changes(flat, flat)["large"])
    assert np.isnan(top_changes(flat.head(0), flat.head(0))["all"])


def test_bags_agree_on_clear_causes_and_one_bag_has_nothing_to_agree_with(rows):
    model = fit(rows, NAMES, RECIPE, progress=False)
    lost = rows[rows["label"] == 1]
    found = between_bags(model, lost)
    assert found["all"] < 0.1
    assert found["large"] < 0.02
    one = replace(model, recipe=replace(RECIPE, bags=1))
    assert np.isnan(between_bags(one, lost)["all"])


@pytest.fixture(scope="module")
def months():
    """300 accounts over ten months, a tenth of which come later and a tenth of which go; the evidence is their own number."""
    rng = np.random.default_rng(6)
    first = np.where(rng.random(300) < 0.1, rng.integers(0, 10, 300), 0)
    last = np.where(rng.random(300) < 0.1, rng.integers(0, 10, 300), 9)
    rows = [
        (f"A{number:03d}", date(2024, 1 + month, 1), float(number))
        for number in range(300)
        for month in range(first[number], last[number] + 1)
    ]
    return pd.DataFrame(rows, columns=["account_id", "as_of", "rebates_overdue"])


def test_all_evidence_of_a_month_is_given_to_somebody_else_there_and_none_is_lost(months):
    found = swapped(months, ["rebates_overdue"], 7)["rebates_overdue"]
    own = months.set_index(["account_id", "as_of"])["rebates_overdue"]
    assert found.index.is_unique
    assert (found != own.loc[found.index]).all()
    for as_of, values in found.groupby(level="as_of"):
        assert sorted(values) == sorted(own.xs(as_of, level="as_of"))


def test_an_account_keeps_its_donor_as_long_as_both_are_there(months):
    found = swapped(months, ["rebates_overdue"], 7)["rebates_overdue"]
    after = found.groupby(level="account_id").shift(-1)
    there = after.notna()
    assert (found[there] == after[there]).mean() > 0.95


def test_who_is_alone_keeps_its_own(months):
    alone = months.head(1)
    assert swapped(alone, ["rebates_overdue"], 7)["rebates_overdue"].tolist() == [0.0]


def test_a_placebo_keeps_its_evidence_where_its_donors_are_not_judged(rows, monkeypatch):
    """Few are judged, and nobody of them learned from: their donors are in the matrix alone."""
    seen = []
    monkeypatch.setattr(
        "models.stability.fit", lambda frame, *_args, **_named: fit(frame, NAMES, RECIPE, progress=False)
    )
    nothing = pd.DataFrame({"share_broken_promises": [0.0]})
    monkeypatch.setattr(
        "models.causes.CauseModel.shares_and_learned", lambda _self, frame: seen.append(frame) or (nothing, nothing)
    )
    later = rows.assign(as_of=date(2024, 2, 1))
    placebo_share(pd.concat([rows, later]), rows, later.head(500), NAMES, RECIPE, "broken_promises")
    (judged,) = seen
    assert (judged["rebates_overdue"] > 0).mean() == pytest.approx((rows["rebates_overdue"] > 0).mean(), abs=0.05)


def test_a_placebo_gets_little_of_what_the_cause_gets(rows):
    lost = rows[rows["label"] == 1]
    own = fit(rows, NAMES, RECIPE, progress=False).shares(lost)["share_broken_promises"].mean()
    placebo = placebo_share(rows, rows, lost, NAMES, RECIPE, "broken_promises")
    assert own > 0.3
    assert placebo.share < own / 10
    assert 0 <= placebo.learned <= placebo.share
    assert placebo == placebo_share(rows, rows, lost, NAMES, RECIPE, "broken_promises")
