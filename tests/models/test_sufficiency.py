"""Each refusal says what is missing, how much of it there is, and what to do."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationError
from models.sufficiency import constant_features, in_words, require

DAYS = (date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1))


def rows_of(losses=120, n=600, days=DAYS):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "as_of": [days[place % len(days)] for place in range(n)],
            "label": [1.0] * losses + [0.0] * (n - losses),
            "recency": rng.random(n),
            "crisis": 0.0,
            "seen": np.nan,
        }
    )


def test_enough_is_let_through_with_the_names_of_constant_features():
    assert require(rows_of(losses=100), ["recency", "crisis", "seen"], 100) == ["crisis", "seen"]
    assert require(rows_of(), ["recency"], 100) == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            rows_of(losses=99),
            r"600 training rows at 3 cut-offs \(2024-01-01 to 2024-03-01\) hold 99 losses; at least 100 are",
        ),
        (rows_of(losses=99), r"train\.min_losses"),
        (rows_of(losses=0), r"In the 600 training rows no account was lost, so there is nothing to learn"),
        (rows_of(losses=600), r"every account was lost.*Check featurize\.horizon"),
        (rows_of(days=DAYS[:1]), r"of one cut-off only, 2024-01-01: .*At least 2 whose label has matured are needed"),
        (
            rows_of().assign(recency=1.0),
            r"Each of the 3 features holds one value in all of the 600 .*for example 'recency'",
        ),
        (rows_of(n=120).head(0), r"no training rows: nobody was eligible.*featurize\.eligible"),
    ],
)
def test_too_little_is_refused_with_count_and_next_step(rows, words):
    with pytest.raises(ConfigurationError, match=words):
        require(rows, ["recency", "crisis", "seen"], 100)


def test_no_feature_at_all_is_refused():
    with pytest.raises(ConfigurationError, match="Each of the 0 features"):
        require(rows_of(), [], 100)


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=3, max_size=3), min_size=1, max_size=8))
def test_constant_is_what_pandas_counts_one_value_of(values):
    frame = pd.DataFrame(values, columns=list("abc"))
    counts = frame.nunique(dropna=False)
    assert constant_features(frame, list("abc")) == [name for name in "abc" if counts[name] == 1]


def test_many_constant_features_are_counted_and_a_few_named():
    assert in_words(["a", "b"]).endswith("which teach nothing (2): a, b")
    assert (
        in_words(list("abcde")) == "features of one value in all training rows, which teach nothing (5): a, b, c, ..."
    )
