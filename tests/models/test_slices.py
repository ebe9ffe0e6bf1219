"""Slices against pandas and scikit-learn, and that a number with nothing behind it is never shown."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from features.errors import ContractError
from features.peers import TIERS
from models.metrics import METRICS, evaluate, tally
from models.slices import FIFTHS, LEAST, REGIONS, YEAR, by_slice, gap, slices_of

CERTAINTY = (20, 0.95, 7)


def market(accounts=600, cutoffs=2, regions=3, seed=0):
    """Accounts that return at every cut-off; the smallest are lost more often than their risk says."""
    rng = np.random.default_rng(seed)
    account = pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in range(accounts)],
            "tier": rng.integers(0, 5, accounts),
            "region": rng.choice([f"r{number}" for number in range(regions)], accounts),
            "tenure": rng.uniform(1, 2000, accounts),
            "health": rng.normal(size=accounts),
        }
    )
    frames = []
    for month in range(cutoffs):
        risk = 1 / (1 + np.exp(account["health"] + rng.normal(scale=0.5, size=accounts)))
        truth = np.where(account["tier"] == 0, np.minimum(1.0, risk + 0.3), risk)
        frames.append(
            account.assign(
                as_of=pd.Timestamp(2024, 1 + month, 1),
                label=(rng.random(accounts) < truth).astype(float),
                lapsed=rng.random(accounts) < 0.3,
                risk=risk,
                recency=(risk + rng.random(accounts)) / 2,
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_values_are_means_over_the_cut_offs_of_plain_groups():
    predictions = market()
    found = by_slice(predictions, ["risk", "recency"], *CERTAINTY)
    json.dumps(found, allow_nan=False)
    active = predictions[~predictions["lapsed"]]
    for kind, rows in (("all", predictions), ("active", active)):
        for place, row in enumerate(found[kind]["tier"]):
            held = rows[rows["tier"] == place]
            assert (row["n"], row["losses"]) == (len(held), held["label"].sum())
            assert row["expected"] == pytest.approx(held["risk"].sum())
            days = [day for _, day in held.groupby("as_of")]
            for name, oracle in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
                plain = [np.mean([oracle(day["label"], day[model]) for day in days]) for model in ("risk", "recency")]
                assert row["models"]["risk"][name]["value"] == pytest.approx(plain[0])
                assert row["paired"]["recency"][name]["value"] == pytest.approx(plain[0] - plain[1])
            observed = np.mean([day["label"].mean() for day in days])
            assert row["calibration"]["observed"]["value"] == pytest.approx(observed)
            predicted = np.mean([day["risk"].mean() for day in days])
            assert row["calibration"]["gap"]["value"] == pytest.approx(observed - predicted)


def test_a_slice_that_holds_everybody_is_what_evaluate_says():
    predictions = market(accounts=150).assign(region="one")
    row = by_slice(predictions, ["risk", "recency"], *CERTAINTY)["active"]["region"][0]
    whole = evaluate(predictions, ["risk", "recency"], *CERTAINTY)
    mean = whole["population"]["active"]["risk"]["mean"]
    assert {**row["models"]["risk"], "n": row["n"], "losses": row["losses"]} == mean
    assert row["paired"]["recency"] == whole["paired"]["active"]["recency"]["mean"]


def test_where_more_are_lost_than_expected_the_gap_lies_above_zero_for_sure():
    rows = by_slice(market(), ["risk"], 100, 0.95, 7)["all"]["tier"]
    assert rows[0]["calibration"]["gap"]["low"] > 0.1
    for row in rows[1:]:
        cell = row["calibration"]["gap"]
        assert cell["low"] < 0.03
        assert cell["high"] > -0.03


@pytest.mark.parametrize(("losses", "known"), [(LEAST - 1, False), (LEAST, True)])
def test_a_metric_needs_enough_losses_and_the_count_says_so(losses, known):
    predictions = market(accounts=300, cutoffs=1).assign(label=0.0, risk=0.001, region="one", lapsed=False)
    predictions.loc[: losses - 1, "label"] = 1.0
    row = by_slice(predictions, ["risk"], *CERTAINTY)["all"]["region"][0]
    assert row["losses"] == losses
    assert all((cell["value"] is not None) == known for name, cell in row["models"]["risk"].items() if name != "slope")
    assert (row["calibration"]["observed"]["value"] is not None) == known


def test_few_kept_accounts_are_too_few_to_be_ranked_but_can_be_counted():
    predictions = market(accounts=300, cutoffs=1).assign(label=1.0, region="one")
    predictions.loc[:5, "label"] = 0.0
    row = by_slice(predictions, ["risk", "recency"], *CERTAINTY)["all"]["region"][0]
    assert row["models"]["risk"]["auc"] == row["paired"]["recency"]["auc"]
    assert row["models"]["risk"]["auc"] == {"value": None, "low": None, "high": None}
    assert row["calibration"]["observed"]["value"] == pytest.approx(294 / 300)


def test_many_expected_and_none_lost_is_calibration_off_not_unknown():
    predictions = market(accounts=300, cutoffs=1).assign(label=0.0, risk=0.2, region="one", lapsed=False)
    row = by_slice(predictions, ["risk"], *CERTAINTY)["all"]["region"][0]
    assert row["models"]["risk"]["auc"]["value"] is None
    assert row["calibration"]["gap"]["value"] == pytest.approx(-0.2)


def test_one_row_and_one_class_give_counts_only():
    one = market(accounts=1, cutoffs=1).assign(label=0.0, lapsed=True)
    found = by_slice(one, ["risk", "recency"], *CERTAINTY)
    assert found["active"] == {"tier": [], "region": [], "age": []}
    row = found["all"]["age"][0]
    assert (row["n"], row["losses"]) == (1, 0)
    assert all(cell["value"] is None for cell in (*row["models"]["risk"].values(), *row["calibration"].values()))


@given(st.lists(st.sampled_from(["a", "b", "ü", "no region", None]), min_size=1, max_size=30), st.integers(0, 4))
def test_every_row_is_in_one_slice_of_each_dimension(regions, tier):
    n = len(regions)
    tenure = np.linspace(0, 4 * YEAR, n)
    found = slices_of(
        pd.DataFrame({"tier": np.full(n, tier), "region": pd.Series(regions, dtype="str"), "tenure": tenure})
    )
    for dimension, slices in found.items():
        if dimension == "region" and not any(regions):
            assert slices == []
            continue
        assert all(mask.any() for _, mask in slices)
        assert np.sum([mask for _, mask in slices], axis=0).tolist() == [1] * n


def frame_of(regions):
    return pd.DataFrame({"tier": 0, "region": pd.Series(regions, dtype="str"), "tenure": 1.0})


def test_the_largest_regions_have_a_slice_each_and_the_rest_one():
    regions = [f"r{number:02d}" for number in range(REGIONS + 3) for _ in range(REGIONS + 4 - number)] + [None] * 2
    names = [name for name, _ in slices_of(frame_of(regions))["region"]]
    assert names == [*(f"r{number:02d}" for number in range(REGIONS)), "3 other regions", "no region"]
    counts = [int(mask.sum()) for _, mask in slices_of(frame_of(regions))["region"]]
    assert counts == [*range(REGIONS + 4, 4, -1), 4 + 3 + 2, 2]


def test_one_region_too_many_is_named_rather_than_called_other():
    names = [name for name, _ in slices_of(frame_of([f"r{number}" for number in range(REGIONS + 1)]))["region"]]
    assert names == [f"r{number}" for number in range(REGIONS + 1)]


def test_an_age_on_an_edge_belongs_to_the_older_band():
    frame = pd.DataFrame({"tier": 0, "region": "a", "tenure": [0, YEAR - 1, YEAR, 3 * YEAR - 1, 3 * YEAR, 9 * YEAR]})
    found = {name: np.flatnonzero(mask).tolist() for name, mask in slices_of(frame)["age"]}
    assert found == {"under 1 year": [0, 1], "1 to 3 years": [2, 3], "3 years and more": [4, 5]}


def test_a_missing_column_is_named():
    with pytest.raises(ContractError, match=r"tier, tenure missing.*Run `holdfast evaluate` again"):
        slices_of(pd.DataFrame({"region": ["a"]}))


def test_there_is_a_name_for_each_tier():
    assert len(FIFTHS) == TIERS


def test_the_gap_is_what_was_lost_less_what_was_expected():
    assert gap(tally([1.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.3, 0.1]))[0] == pytest.approx(0.75 - 0.35)


def test_every_metric_is_there_and_the_input_stays_as_it_is():
    predictions = market(accounts=200)
    before = predictions.copy(deep=True)
    row = by_slice(predictions, ["risk", "recency"], *CERTAINTY)["all"]["tier"][0]
    assert list(row["models"]["risk"]) == list(row["models"]["recency"]) == list(METRICS)
    pd.testing.assert_frame_equal(predictions, before)
