"""Between bags the same reasons come first, and a placebo gets next to nothing."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from risk_recipes import CAUSES as RECIPE

from models.competing import fit
from models.stability import between_bags, placebo_share, top_changes

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


def test_a_placebo_gets_little_of_what_the_cause_gets(rows):
    lost = rows[rows["label"] == 1]
    own = fit(rows, NAMES, RECIPE, progress=False).shares(lost)["share_broken_promises"].mean()
    placebo = placebo_share(rows, lost, NAMES, RECIPE, "broken_promises")
    assert own > 0.3
    assert placebo < own / 10
    assert placebo == placebo_share(rows, lost, NAMES, RECIPE, "broken_promises")
