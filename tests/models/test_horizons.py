"""Training rows: what was known at the as_of and nothing later, each horizon by its own maturity."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigurationError
from features.periods import Duration, Label, rolling_cutoffs
from models.horizons import HORIZON, Horizons, matured, training_rows

MONTH = Duration(1, "month")
LABEL = Label(Duration(3, "month"), Duration(12, "month"))
LATE = Label(Duration(3, "month"), Duration(12, "month"), booking_lag=Duration(1, "day"))
CUTOFFS = rolling_cutoffs(date(2023, 1, 15), date(2024, 6, 15), MONTH)
AS_OF = date(2024, 3, 15)
SILENT = [f"silent_{step}" for step in range(1, 7)]


def matrix() -> pd.DataFrame:
    """Two accounts at every cut-off; B never orders again, A orders in the second period after it."""
    rows = pd.DataFrame({"as_of": np.repeat(CUTOFFS, 2), "account_id": ["A", "B"] * len(CUTOFFS)})
    again = rows["account_id"] == "A"
    rows["label"] = np.where(again, 0.0, 1.0)
    for step, name in enumerate(SILENT, start=1):
        rows[name] = np.where(again & (step >= 2), 0.0, 1.0)
    return rows


def test_labels_have_matured_at_the_as_of():
    assert matured(CUTOFFS, AS_OF, LABEL, 99)[-1] == date(2023, 12, 15)  # matures on 2024-03-15 itself


def test_a_booking_lag_moves_the_last_label_back():
    assert matured(CUTOFFS, AS_OF, LATE, 99)[-1] == date(2023, 11, 15)


def test_the_limit_keeps_the_latest():
    assert matured(CUTOFFS, AS_OF, LABEL, 4)[0] == date(2023, 9, 15)


def test_nothing_matured_is_refused():
    with pytest.raises(ConfigurationError, match="No label has matured at 2023-02-01"):
        matured(CUTOFFS, date(2023, 2, 1), LABEL, 99)
    with pytest.raises(ConfigurationError, match="No label has matured at 2023-02-01"):
        training_rows(matrix(), date(2023, 2, 1), Horizons(LABEL, MONTH, 6), 99)


def test_late_cutoffs_tell_the_horizons_that_have_passed():
    rows = training_rows(matrix(), AS_OF, Horizons(LABEL, MONTH, 6), 4)
    told = {day: sorted(set(of_day[HORIZON])) for day, of_day in rows.groupby("as_of")}
    assert told[date(2024, 1, 15)] == [1.0, 2.0]
    assert told[date(2024, 2, 15)] == [1.0]
    assert max(told) == date(2024, 2, 15)
    assert min(told) == date(2023, 9, 15)


def test_every_matured_cutoff_tells_its_label_and_every_horizon_is_told_by_some():
    rows = training_rows(matrix(), AS_OF, Horizons(LABEL, MONTH, 6), 12)
    early = rows[rows["as_of"] <= date(2023, 9, 15)]
    assert early.loc[early[HORIZON] == 3, "as_of"].nunique() == early["as_of"].nunique()
    assert set(early[HORIZON]) == {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}
    assert not rows.duplicated(["account_id", "as_of", HORIZON]).any()


def test_the_outcome_is_that_of_the_horizon():
    rows = training_rows(matrix(), AS_OF, Horizons(LABEL, MONTH, 6), 99)
    lost = (rows["account_id"] == "B") | (rows[HORIZON] < 2)
    np.testing.assert_array_equal(rows["label"], lost.astype(float))


@pytest.mark.parametrize("label", [LABEL, LATE], ids=["booked at once", "booked a day late"])
def test_nothing_that_was_not_known_at_the_as_of_is_learned(label):
    horizons, known = Horizons(label, MONTH, 6), matrix()
    changed = known.copy()
    for column in ("label", *SILENT):
        later = [
            horizons.matures(column, day) > AS_OF if column in horizons.columns() else True for day in known["as_of"]
        ]
        changed.loc[later, column] = 1 - changed.loc[later, column]
    assert not changed.equals(known)
    pd.testing.assert_frame_equal(
        training_rows(known, AS_OF, horizons, 99), training_rows(changed, AS_OF, horizons, 99)
    )


def test_a_horizon_in_days_counts_in_periods_and_every_step_is_told():
    ninety = Horizons(Label(Duration(90, "day"), Duration(365, "day")), MONTH, 6)
    assert ninety.main == pytest.approx(90 / (365.25 / 12))
    assert list(ninety.columns()) == ["label", *SILENT]
    assert "silent_3" not in Horizons(LABEL, MONTH, 6).columns()  # it is the label


def test_a_missing_outcome_is_left_out():
    rows = matrix()
    rows.loc[rows["as_of"] == date(2023, 9, 15), "label"] = np.nan
    told = training_rows(rows, AS_OF, Horizons(LABEL, MONTH, 0), 99)
    assert date(2023, 9, 15) not in set(told["as_of"])
    assert told["label"].notna().all()
