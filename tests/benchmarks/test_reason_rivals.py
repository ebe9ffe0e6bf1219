"""What shares are set against: each does what its name says."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.reason_rivals import ALL, CODES, most_common, of_positive, told, z_scores

EVIDENCE = {"rebates_overdue": "broken_promises", "rival_signals_3": "competitor", "requests_open": "product"}
FEATURES = [*EVIDENCE, "recency"]


def losses_of(count: int, seed: int) -> pd.DataFrame:
    """Losses whose reason is the one of which most shows, with a symptom that would give it away."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.exponential(1, (count, len(EVIDENCE))), columns=list(EVIDENCE))
    reason = rows.idxmax(axis=1).map(EVIDENCE)
    return rows.assign(recency=reason.map({code: 10.0 * ALL.index(code) for code in CODES}), reason=reason)


def test_who_is_told_every_true_reason_finds_them_again():
    past = losses_of(1500, 1)
    judged = losses_of(400, 2).assign(loss=np.repeat(np.arange(200), 2))
    share = told(past, judged, FEATURES, 7)
    assert share.index.tolist() == list(range(200))
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    mean = judged.groupby("loss")[list(EVIDENCE)].mean()
    right = share.idxmax(axis=1).str.removeprefix("share_") == mean.idxmax(axis=1).map(EVIDENCE)
    assert right.mean() > 0.8
    np.testing.assert_array_equal(share, told(past, judged, FEATURES, 7))


def test_who_is_told_sees_no_symptom():
    past, judged = losses_of(1500, 1), losses_of(50, 2).assign(loss=range(50))
    turned = judged.assign(recency=judged["recency"].to_numpy()[::-1])
    pd.testing.assert_frame_equal(told(past, judged, FEATURES, 7), told(past, turned, FEATURES, 7))


def test_the_most_common_reason_is_the_same_for_all():
    share = most_common(pd.Series(["product", "product", "competitor", "unexplained"]), pd.RangeIndex(2))
    assert share["share_product"].tolist() == [0.5, 0.5]
    assert share["share_unexplained"].tolist() == [0.25, 0.25]
    assert share["share_turbulence"].tolist() == [0.0, 0.0]


def test_z_scores_count_in_the_direction_of_harm():
    healthy = pd.DataFrame({"rebates_overdue": [0.0, 2.0], "visits_6": [4.0, 8.0]})
    scores = z_scores(pd.DataFrame({"rebates_overdue": [3.0], "visits_6": [0.0]}), healthy)
    assert scores["share_broken_promises"].item() == pytest.approx(2 / np.sqrt(2))
    assert scores["share_unequal_treatment"].item() == pytest.approx(6 / np.sqrt(8))


def test_only_what_pushes_the_risk_up_has_a_share():
    groups = pd.DataFrame({"product": [3.0, -1.0], "competitor": [-2.0, -2.0], "symptom": [1.0, 1.0]})
    share = of_positive(groups)
    assert share["share_product"].iloc[0] == pytest.approx(0.75)
    assert share["share_unexplained"].tolist() == pytest.approx([0.25, 1.0])
    assert share["share_product"].iloc[1] > share["share_competitor"].iloc[1]
