from datetime import date

import pytest

from features.errors import ConfigurationError
from features.periods import Duration, Label, rolling_cutoffs
from models.splits import split

MONTH = Duration(1, "month")
LABEL = Label(Duration(3, "month"), Duration(12, "month"))
CUTOFFS = rolling_cutoffs(date(2023, 1, 15), date(2024, 3, 15), MONTH)


def test_training_labels_have_matured_at_the_test_cutoff():
    chosen = split(CUTOFFS, date(2024, 3, 15), LABEL, limit=99, calibration=0)
    assert chosen.train[-1] == date(2023, 12, 15)  # matures on 2024-03-15 itself
    assert all(LABEL.matures(cutoff) <= date(2024, 3, 15) for cutoff in chosen.train)


def test_booking_lag_moves_the_last_training_cutoff_back():
    label = Label(Duration(3, "month"), Duration(12, "month"), booking_lag=Duration(1, "day"))
    assert split(CUTOFFS, date(2024, 3, 15), label, 99, 0).train[-1] == date(2023, 11, 15)


def test_the_limit_keeps_the_latest():
    assert split(CUTOFFS, date(2024, 3, 15), LABEL, 4, 0).train[0] == date(2023, 9, 15)


def test_the_calibrating_model_has_seen_only_labels_matured_before_the_calibration():
    chosen = split(CUTOFFS, date(2024, 3, 15), LABEL, 99, 3)
    assert chosen.calibration == (date(2023, 10, 15), date(2023, 11, 15), date(2023, 12, 15))
    assert chosen.before_calibration[-1] == date(2023, 7, 15)


def test_too_few_cutoffs_leave_no_calibration():
    chosen = split(CUTOFFS, date(2023, 6, 15), LABEL, 99, 2)
    assert chosen.calibration == ()
    assert chosen.before_calibration == ()


def test_nothing_matured_is_refused():
    with pytest.raises(ConfigurationError, match="No label has matured at 2023-02-01"):
        split(CUTOFFS, date(2023, 2, 1), LABEL, 99, 0)
