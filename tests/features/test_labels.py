"""Every definition of a loss against its plain twin; edges, late booking, what does not apply, what is not known yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count

import numpy as np
import pandas as pd
import pytest

from features.labels import DEFINITIONS, LABELS, Rules, column_of, shown
from features.matrix import KEYS
from features.periods import Duration, Label
from tests.features import worlds
from tests.features.oracle import losses
from tests.features.test_time import AS_OF, order
from tests.features.worlds import LABEL, MONTH, mutate_future, world

NAMES = tuple(DEFINITIONS)
FAR = date(2025, 12, 1)  # all has matured
LAGGED = replace(LABEL, booking_lag=Duration(20, "day"))
CASES = {
    "months": (MONTH, LABEL, Rules(), [AS_OF, date(2024, 1, 15), date(2023, 8, 15)]),
    "lag": (MONTH, LAGGED, Rules(0.8, 2.0), [AS_OF, date(2024, 3, 31), date(2024, 2, 29)]),
    "lag of a month": (MONTH, replace(LABEL, booking_lag=MONTH), Rules(gaps=1.0), [date(2024, 1, 28)]),
    "days": (Duration(30, "day"), Label(Duration(45, "day"), Duration(365, "day")), Rules(), [AS_OF]),
    "a horizon beyond the year": (MONTH, Label(Duration(13, "month"), Duration(12, "month")), Rules(), [AS_OF]),
}


matrix = partial(worlds.matrix, features=())  # labels alone


def values(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index(["account_id", "as_of"])[list(LABELS)]


def known(values: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES)
def test_every_definition_agrees_with_its_twin(tmp_path, seed, case):
    period, label, rules, cutoffs = CASES[case]
    tables = world(seed)
    for until in (date(2024, 7, 25), FAR):
        frame = values(matrix(tmp_path / str(until), tables, cutoffs, until, label, period, None, NAMES, rules=rules))
        for account, as_of in frame.index:
            expected = losses(tables, account, as_of, period, label, rules, until)
            assert known(frame.loc[(account, as_of)]) == list(expected.values()), (account, as_of)


@pytest.mark.parametrize("seed", range(4))
def test_every_definition_agrees_with_its_twin_where_all_days_are_edges(tmp_path, seed):
    tables = world(seed, [MONTH.before(AS_OF, back) for back in range(-6, 16)])
    frame = values(matrix(tmp_path / "world", tables, [AS_OF, MONTH.before(AS_OF)], FAR, beside=NAMES))
    for account, as_of in frame.index:
        expected = losses(tables, account, as_of, MONTH, LABEL, Rules(), FAR)
        assert known(frame.loc[(account, as_of)]) == list(expected.values()), (account, as_of)


def test_the_worlds_hold_every_outcome_of_every_definition(tmp_path):
    frames = [
        values(matrix(tmp_path / str(seed), world(seed), CASES["months"][3], FAR, beside=NAMES)) for seed in range(4)
    ]
    frame = pd.concat(frames)
    for name in LABELS:
        assert {0.0, 1.0} <= set(frame[name])
    assert frame["label_range_lost"].isna().any()


@pytest.mark.parametrize("seed", range(6))
def test_changing_what_is_booked_after_it_matures_changes_no_label(tmp_path, seed):
    tables = world(seed)
    before = values(matrix(tmp_path / "before", tables, [AS_OF], FAR, LAGGED, beside=NAMES))
    matures = LAGGED.matures(AS_OF)
    after = values(matrix(tmp_path / "after", mutate_future(tables, matures, seed), [AS_OF], FAR, LAGGED, beside=NAMES))
    alike = ["label_silent", "label_halved", "label_range_lost"]
    pd.testing.assert_frame_equal(after.loc[before.index, alike], before[alike], check_exact=True)
    longest = LAGGED.booking_lag.after(MONTH.after(AS_OF, 6))
    last = values(matrix(tmp_path / "last", mutate_future(tables, longest, seed), [AS_OF], FAR, LAGGED, beside=NAMES))
    pd.testing.assert_frame_equal(last.loc[before.index], before, check_exact=True)


def test_what_is_normal_is_known_at_the_cutoff(tmp_path):
    rows = [
        *[order(10 + k, "A", date(2023, 1, 20) + timedelta(60 * k), 10.0) for k in range(7)],
        order(1, "A", date(2023, 4, 20), 100.0, recorded=datetime(2024, 3, 15)),  # booked at as_of: no part of the norm
        order(2, "A", date(2024, 4, 1), 6.0),
    ]
    for row in rows:
        row["product_line"] = "L1"
    late = order(3, "A", date(2024, 2, 1), 1.0, recorded=datetime(2024, 3, 15))
    late["product_line"] = "L2"
    early = {**late, "order_id": "O4", "ordered_at": datetime(2023, 11, 1), "recorded_at": None}
    frame = matrix(tmp_path / "norm", {"orders": [*rows, late, early]}, [AS_OF], FAR, beside=NAMES)
    # Two orders of ten in [2023-03-15, 2023-06-15): half of them is more than six; with the hundred 60 would be lost too,
    # but so would 12 not have been.
    assert losses({"orders": rows}, "A", AS_OF, MONTH, LABEL, Rules(), FAR)["halved"] == 1.0
    assert frame["label_halved"].tolist() == [1.0]
    twelve = [*rows, order(5, "A", date(2024, 4, 2), 6.0)]
    frame = matrix(tmp_path / "twelve", {"orders": twelve}, [AS_OF], FAR, beside=NAMES)
    assert frame["label_halved"].tolist() == [0.0]
    # L2 was known in one horizon only, so it is no habit, and L1 was bought again
    assert frame["label_range_lost"].tolist() == [0.0]


def plain(number: int, day: date, amount: float, **more) -> dict:
    return {**order(number, "A", day, amount), **more}


@pytest.mark.parametrize(("amount", "lost"), [(49.75, 1.0), (50.0, 0.0)])
def test_half_of_the_norm_is_not_under_half(tmp_path, amount, lost):
    rows = [plain(1, date(2023, 3, 15), 100.0), plain(2, date(2023, 6, 15), 900.0), plain(3, AS_OF, amount)]
    frame = matrix(tmp_path / "half", {"orders": rows}, [AS_OF], FAR, beside=NAMES)
    assert frame["label_halved"].tolist() == [lost]
    assert frame["label_silent"].tolist() == [0.0]


def test_returns_lessen_what_was_bought_and_what_is_normal(tmp_path):
    rows = [
        plain(1, date(2023, 3, 15), 100.0),
        {**order(2, "A", date(2023, 4, 1), 60.0, is_return=True)},
        plain(3, date(2023, 9, 1), 1.0),
        plain(4, date(2024, 4, 1), 30.0),
    ]
    kept = matrix(tmp_path / "kept", {"orders": rows}, [AS_OF], FAR, beside=NAMES)
    assert kept["label_halved"].tolist() == [0.0]  # 30 of 40
    back = order(5, "A", date(2024, 5, 1), 15.0, is_return=True)
    lost = matrix(tmp_path / "lost", {"orders": [*rows, back]}, [AS_OF], FAR, beside=NAMES)
    assert lost["label_halved"].tolist() == [1.0]  # 15 of 40
    assert lost["label_silent"].tolist() == [0.0]
    none = [*rows, order(6, "A", date(2023, 4, 2), 40.0, is_return=True)]
    assert matrix(tmp_path / "none", {"orders": none}, [AS_OF], FAR, beside=NAMES)["label_halved"].isna().all()


def test_a_new_account_is_held_against_what_it_has_lived_through(tmp_path):
    # Half a year old, 182 days with 200 in all: its 92 days are worth 101.1
    rows = [plain(1, AS_OF - timedelta(182), 150.0), plain(2, AS_OF - timedelta(20), 50.0)]
    for amount, lost in ((50.5, 1.0), (50.75, 0.0)):
        bought = [*rows, plain(3, date(2024, 4, 1), amount)]
        frame = matrix(tmp_path / str(amount), {"orders": bought}, [AS_OF], FAR, beside=NAMES)
        assert frame["label_halved"].tolist() == [lost]


def test_an_order_of_yesterday_alone_is_a_whole_horizons_worth(tmp_path):
    rows = [plain(1, AS_OF - timedelta(1), 100.0), plain(2, AS_OF, 50.0)]
    assert matrix(tmp_path / "one", {"orders": rows}, [AS_OF], FAR, beside=NAMES)["label_halved"].tolist() == [0.0]


def test_a_habit_takes_two_horizons_one_of_them_of_the_last_two(tmp_path):
    number = count()

    def bought(account: str, line: str | None, *months_ago: int) -> list[dict]:
        days = [MONTH.before(AS_OF, months) for months in months_ago]
        return [{**order(next(number), account, day), "product_line": line} for day in days]

    rows = [
        *bought("both", "L1", 3, 6),  # horizons end a day before these: [-3, 0) and [-6, -3)
        *bought("old", "L1", 9, 12),
        *bought("once", "L1", 1, 2),
        *bought("two lines", "L1", 1, 4, 0),
        *bought("two lines", "L2", 1, 4),
        *bought("kept", "L1", 1, 4, -2),
        *bought("too late", "L1", 1, 4, -3),
        *bought("no line", None, 1, 4),
    ]
    frame = matrix(tmp_path / "habit", {"orders": rows}, [AS_OF], FAR, beside=NAMES).set_index("account_id")
    found = frame["label_range_lost"]
    assert found.dropna().to_dict() == {"both": 1.0, "two lines": 1.0, "kept": 0.0, "too late": 1.0}
    assert set(found.index[found.isna()]) == {"old", "once", "no line"}


def test_a_slow_buyer_is_waited_for_and_no_longer_than_the_cap(tmp_path):
    rows = []
    for account, gap in (("fast", 10), ("slow", 40), ("very slow", 120)):
        rows += [order(len(rows) + k, account, AS_OF - timedelta(5 + gap * k)) for k in range(2)]
    rows += [order(90, "slow", AS_OF + timedelta(119)), order(91, "very slow", date(2024, 9, 15))]
    rows += [order(92, "fast", AS_OF + timedelta(92)), order(93, "one", AS_OF - timedelta(9))]
    frame = matrix(tmp_path / "rhythm", {"orders": rows}, [AS_OF], FAR, beside=NAMES).set_index("account_id")
    # horizons of 92, 120 and 184 days; a single order shows no rhythm
    assert frame["label_rhythm"].to_dict() == {"fast": 1.0, "slow": 0.0, "very slow": 1.0, "one": 1.0}
    assert frame["label_silent"].to_dict() == {"fast": 1.0, "slow": 1.0, "very slow": 1.0, "one": 1.0}
    soon = matrix(tmp_path / "soon", {"orders": rows}, [AS_OF], AS_OF + timedelta(119), beside=NAMES)
    assert soon.set_index("account_id")["label_rhythm"].dropna().to_dict() == {"fast": 1.0, "one": 1.0}
    assert soon["label"].notna().all()


@pytest.mark.parametrize("name", NAMES)
def test_the_label_is_the_definition_chosen(tmp_path, name):
    label = replace(LABEL, longest=DEFINITIONS[name].longest(Rules()))
    frame = matrix(tmp_path / "chosen", world(3), [AS_OF], FAR, label, beside=NAMES, predicts=name)
    np.testing.assert_array_equal(frame["label"], frame[column_of(name)])
    alone = matrix(tmp_path / "alone", world(3), [AS_OF], FAR, label, predicts=name)
    pd.testing.assert_frame_equal(alone, frame.drop(columns=list(LABELS)), check_exact=True)


def test_the_label_of_own_horizons_waits_for_the_longest(tmp_path):
    label = replace(LABEL, longest=DEFINITIONS["rhythm"].longest(Rules()))
    soon = [
        matrix(tmp_path / str(until), world(3), [AS_OF], until, label, beside=NAMES, predicts="rhythm")
        for until in (date(2024, 9, 14), date(2024, 9, 15))
    ]
    assert soon[0]["label_rhythm"].notna().any()
    assert soon[0]["label"].isna().all()
    assert soon[1]["label"].notna().all()


def test_no_label_of_the_family_after_the_last_one_wanted(tmp_path):
    frame = matrix(tmp_path / "last", world(3), [AS_OF, date(2024, 4, 15)], FAR, last_label=AS_OF, beside=NAMES)
    later = frame["as_of"] > AS_OF
    assert frame.loc[later, list(LABELS)].isna().all(axis=None)
    assert frame.loc[~later, "label_rhythm"].notna().all()


def test_what_the_columns_of_orders_can_show():
    assert [found.name for found in shown({"account_id", "ordered_at", "is_return", "amount"})] == [
        "silent", "halved", "rhythm",
    ]  # fmt: skip
    assert [found.name for found in shown({"amount", "product_line"})] == list(NAMES)


def test_no_label_is_a_feature():
    assert set(LABELS) <= set(KEYS)


def test_one_account(tmp_path):
    frame = matrix(tmp_path / "one", {"orders": [plain(1, AS_OF - timedelta(3), 5.0)]}, [AS_OF], FAR, beside=NAMES)
    assert known(values(frame).iloc[0]) == [1.0, 1.0, None, 1.0]
