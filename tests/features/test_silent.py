"""`label` and `silent_1` to `silent_6`: edges, late booking, what is not known yet, and the plain oracle."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest

from features.periods import Duration, Label
from tests.features import worlds
from tests.features.oracle import no_order
from tests.features.test_time import AS_OF, order
from tests.features.worlds import LABEL, MONTH, known_day, mutate_future, world

STEPS = [f"silent_{step}" for step in range(1, 7)]
LAGGED = Label(LABEL.horizon, LABEL.eligible, booking_lag=Duration(20, "day"))
CASES = [
    (MONTH, LABEL, [AS_OF, date(2024, 1, 15), date(2023, 8, 15)]),
    (MONTH, LAGGED, [AS_OF, date(2024, 2, 15), date(2024, 3, 31), date(2024, 2, 29)]),
    (Duration(30, "day"), LAGGED, [AS_OF, date(2024, 2, 14)]),
    (Duration(7, "day"), Label(Duration(90, "day"), Duration(365, "day")), [date(2024, 1, 3)]),
]


matrix = partial(worlds.matrix, features=())  # labels alone


def values(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index(["account_id", "as_of"])[["label", *STEPS]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("period", "label", "cutoffs"), CASES, ids=["months", "lag", "thirty days", "weeks"])
def test_every_horizon_agrees_with_the_oracle(tmp_path, seed, period, label, cutoffs):
    tables = world(seed)
    until = date(2024, 7, 20)
    frame = values(matrix(tmp_path / "world", tables, cutoffs, until, label, period))
    for account, as_of in frame.index:
        ends = [label.end(as_of), *(period.after(as_of, step) for step in range(1, 7))]
        expected = [no_order(tables, account, as_of, end, label.booking_lag.after(end), until) for end in ends]
        got = [None if np.isnan(value) else value for value in frame.loc[(account, as_of)]]
        assert got == expected, (account, as_of)


@pytest.mark.parametrize("seed", range(3))
def test_every_horizon_agrees_with_the_oracle_where_all_days_are_edges(tmp_path, seed):
    tables = world(seed, [MONTH.before(AS_OF, back) for back in range(-6, 4)])
    frame = values(matrix(tmp_path / "world", tables, [AS_OF], date(2024, 12, 1)))
    for account, as_of in frame.index:
        ends = [LABEL.end(as_of), *(MONTH.after(as_of, step) for step in range(1, 7))]
        expected = [no_order(tables, account, as_of, end, end, date(2024, 12, 1)) for end in ends]
        assert frame.loc[(account, as_of)].tolist() == expected


def test_an_order_on_an_edge(tmp_path):
    rows = [order(number, account, date(2024, 3, 1)) for number, account in enumerate("ABCDE")]
    rows += [
        order(10, "A", AS_OF, hour=0),  # at as_of itself: within every horizon
        order(11, "B", date(2024, 4, 14), hour=23),  # the last day of the first period
        order(12, "C", date(2024, 4, 15), hour=0),  # the first day of the second
        order(13, "D", date(2024, 5, 1), is_return=True),  # a return is no order
    ]
    frame = matrix(tmp_path / "edges", {"orders": rows}, [AS_OF]).set_index("account_id")[STEPS]
    assert frame.loc["A"].tolist()[:5] == [0] * 5
    assert frame.loc["B"].tolist()[:5] == [0] * 5
    assert frame.loc["C"].tolist()[:5] == [1, 0, 0, 0, 0]
    assert frame.loc["D"].tolist()[:5] == [1] * 5
    assert frame["silent_6"].isna().all()  # [2024-03-15, 2024-09-15) ends after 2024-09-01


def test_what_is_booked_late_counts_for_the_horizons_that_mature_after_it(tmp_path):
    rows = [order(number, account, date(2024, 3, 1)) for number, account in enumerate("AB")]
    rows += [
        order(10, "A", date(2024, 3, 20), recorded=datetime(2024, 5, 15)),  # booked as the second matures: too late
        order(11, "B", date(2024, 3, 20), recorded=datetime(2024, 5, 14)),
        order(12, "B", date(2024, 4, 1), recorded=datetime(2024, 4, 14)),  # later, but booked earlier
    ]
    frame = matrix(tmp_path / "late", {"orders": rows}, [AS_OF]).set_index("account_id")[STEPS]
    assert frame.loc["A"].tolist()[:5] == [1, 1, 0, 0, 0]
    assert frame.loc["B"].tolist()[:5] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(("until", "known"), [(date(2024, 5, 24), 1), (date(2024, 5, 25), 2), (date(2024, 4, 24), 0)])
def test_a_step_is_known_when_it_has_ended_and_all_is_booked(tmp_path, until, known):
    label = Label(LABEL.horizon, LABEL.eligible, booking_lag=Duration(10, "day"))
    frame = matrix(tmp_path / "until", {"orders": [order(1, "A", date(2024, 3, 1))]}, [AS_OF], until, label)
    assert frame[STEPS].notna().sum(axis=1).tolist() == [known]


@pytest.mark.parametrize("seed", range(6))
def test_changing_what_is_booked_after_it_matures_changes_no_horizon(tmp_path, seed):
    tables = world(seed)
    before = values(matrix(tmp_path / "before", tables, [AS_OF], date(2024, 12, 1), LAGGED))
    for name in before.columns:
        end = LABEL.end(AS_OF) if name == "label" else MONTH.after(AS_OF, int(name[-1]))
        matures = LAGGED.booking_lag.after(end)
        changed = mutate_future(tables, matures, seed)
        assert changed["orders"] != [row for row in tables["orders"] if known_day("orders", row) < matures]
        after = values(matrix(tmp_path / name, changed, [AS_OF], date(2024, 12, 1), LAGGED))
        pd.testing.assert_series_equal(after[name].loc[before.index], before[name], check_exact=True)


def test_cutoffs_after_the_last_label_get_none_but_their_steps(tmp_path):
    cutoffs = [AS_OF, date(2024, 4, 15)]
    until = date(2024, 8, 1)
    all_of_them = matrix(tmp_path / "all", world(2), cutoffs, until)
    some = matrix(tmp_path / "some", world(2), cutoffs, until, last_label=AS_OF)
    later = some["as_of"] > AS_OF
    assert later.any()
    assert all_of_them["label"].notna().all()
    assert some.loc[later, "label"].isna().all()
    assert some.loc[later, "silent_3"].notna().all()
    pd.testing.assert_frame_equal(some.drop(columns="label"), all_of_them.drop(columns="label"), check_exact=True)
    pd.testing.assert_series_equal(some.loc[~later, "label"], all_of_them.loc[~later, "label"])


def test_silence_never_ends_in_a_longer_horizon(tmp_path):
    frame = matrix(tmp_path / "world", world(5), [AS_OF - timedelta(60)], date(2024, 12, 1))
    steps = frame[STEPS].to_numpy()
    assert (np.diff(steps, axis=1) <= 0).all()
    np.testing.assert_array_equal(frame["silent_3"], frame["label"])  # three periods are the horizon
