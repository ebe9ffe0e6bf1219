"""Natural breaks, against all cuts and against the clusters of a library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from models.breaks import natural_break


@given(st.lists(st.integers(0, 30), min_size=2, max_size=12))
def test_the_break_has_the_least_variance_within(values):
    ordered = np.sort(np.array(values, dtype=float))
    found = natural_break(ordered[::-1].copy())
    costs = {
        low: sum(part.var() * len(part) for part in (ordered[ordered < low], ordered[ordered >= low]))
        for low in set(ordered[1:].tolist()) - {ordered[0]}
    }
    if costs:
        assert costs[found] == pytest.approx(min(costs.values()))
    else:
        assert found == ordered[0]


def test_two_groups_are_those_of_a_clustering_library():
    rng = np.random.default_rng(3)
    for size in (2, 9, 60):
        values = np.concatenate([rng.normal(2, 0.3, size), rng.normal(4, 0.3, size + 3)])
        groups = KMeans(2, n_init=20, random_state=1).fit(values[:, None])
        high = groups.labels_ == groups.cluster_centers_[:, 0].argmax()
        assert natural_break(values) == pytest.approx(values[high].min())
