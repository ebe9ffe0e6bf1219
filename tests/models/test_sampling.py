"""The sample: every loss is in it, nobody's place depends on the others, and its weights make up for who is not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from risk_recipes import CAUSES

from models.competing import _in_bag
from models.sampling import Sample, lost_in

ACCOUNTS = [f"A{number:05d}" for number in range(20_000)]


def rows_of(count: int = 3000) -> pd.DataFrame:
    """Three cut-offs of each account; one in ten is lost at the last."""
    return pd.DataFrame(
        {
            "account_id": np.repeat(ACCOUNTS[:count], 3),
            "label": [float(place % 30 == 2) for place in range(3 * count)],
            "amount_12": np.random.default_rng(1).gamma(2, 50, 3 * count),
        }
    )


def test_every_loss_is_there_with_all_its_rows_at_weight_one():
    rows = rows_of()
    lost, sample = lost_in(rows), Sample(0.01, 7)
    taken = sample.take(rows, lost)
    assert taken["label"].sum() == rows["label"].sum() == 300
    assert (taken[taken["account_id"].isin(lost)].groupby("account_id").size() == 3).all()
    weight = sample.weights(taken["account_id"], lost)
    assert (weight[taken["account_id"].isin(lost)] == 1).all()
    assert (weight[~taken["account_id"].isin(lost)] == 100).all()
    assert 0 < (weight == 100).sum() < 3 * 2700 / 50


@settings(max_examples=4)
@given(st.sampled_from([0.05, 0.1, 0.3, 0.7]), st.integers(0, 50))
def test_weights_sum_to_the_population_in_expectation(share, offset):
    """Horvitz and Thompson's: over many seeds the mean of weighted sums is the sum of all rows, whatever is summed."""
    rows = rows_of(100)
    lost = lost_in(rows)
    draws = [
        Sample(share, seed).weights(rows["account_id"], lost) for seed in range(1000 * offset, 1000 * offset + 150)
    ]
    for values in (np.ones(len(rows)), rows["amount_12"].to_numpy(), rows["label"].to_numpy()):
        sums = np.array([weight @ values for weight in draws])
        error = sums.std() / np.sqrt(len(sums))
        assert abs(sums.mean() - values.sum()) <= 5 * error + 1e-9 * values.sum()


def test_an_account_is_in_the_sample_or_not_whoever_else_is_there_and_in_any_order():
    sample, rng = Sample(0.1, 7), np.random.default_rng(2)
    drawn = dict(zip(ACCOUNTS, sample.drawn(ACCOUNTS), strict=True))
    some = list(rng.permutation(ACCOUNTS)[:500])
    assert sample.drawn(some).tolist() == [drawn[name] for name in some]
    assert 0.09 < np.mean(list(drawn.values())) < 0.11
    assert [name for name in ACCOUNTS[:40] if drawn[name]] == ["A00000", "A00011", "A00024", "A00035"]  # on any machine
    rows = rows_of(50).sample(frac=1, random_state=3)
    alone = sample.weights(rows["account_id"].iloc[:20], set())
    assert (alone == sample.weights(rows["account_id"], set())[:20]).all()


def test_another_seed_draws_others_and_a_smaller_share_some_of_the_same():
    one = Sample(0.1, 7).drawn(ACCOUNTS)
    assert 0.07 < Sample(0.1, 8).drawn(ACCOUNTS)[one].mean() < 0.13
    assert (one | ~Sample(0.05, 7).drawn(ACCOUNTS)).all()


def test_the_bags_of_the_causes_do_not_depend_on_the_sample():
    names = pd.Series(ACCOUNTS)
    for seed in range(CAUSES.seed, CAUSES.seed + 3):
        drawn = Sample(0.2, seed).drawn(ACCOUNTS)
        for bag in range(CAUSES.bags):
            chosen = _in_bag(names, CAUSES, bag)
            assert chosen[drawn].mean() == pytest.approx(chosen.mean(), abs=0.04)


def test_the_whole_is_left_as_it_is():
    rows = rows_of(20)
    whole = Sample(1.0, 7)
    assert whole.whole
    assert whole.take(rows, lost_in(rows)) is rows
    assert (whole.weights(rows["account_id"], lost_in(rows)) == 1).all()


def test_taken_again_nothing_changes():
    rows = rows_of()
    lost, sample = lost_in(rows), Sample(0.1, 7)
    once = sample.take(rows, lost)
    pd.testing.assert_frame_equal(sample.take(once, lost), once)


def test_who_has_no_label_yet_is_not_lost():
    rows = pd.DataFrame({"account_id": ["A", "A", "B", "C"], "label": [0.0, np.nan, np.nan, 1.0]})
    assert lost_in(rows) == {"C"}
