"""Durations, edges and cut-offs, against the calendar and the worked example of `features/periods.py`."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationError
from features.periods import (
    Duration,
    Label,
    edge_index,
    grids,
    periods_in_year,
    rolling_cutoffs,
    share_edges,
)

AS_OF = date(2024, 3, 15)
MONTH = Duration(1, "month")
DAYS = st.dates(date(2000, 1, 1), date(2040, 12, 31))
PERIODS = st.one_of(
    st.builds(Duration, st.integers(1, 13), st.just("month")), st.builds(Duration, st.integers(1, 62), st.just("day"))
)
DURATIONS = st.one_of(
    st.builds(Duration, st.integers(0, 30), st.just("month")), st.builds(Duration, st.integers(0, 400), st.just("day"))
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("3 months", Duration(3, "month")),
        ("1 month", MONTH),
        ("  90   days ", Duration(90, "day")),
        ("0 days", Duration(0, "day")),
    ],
)
def test_a_duration_is_read(text, duration):
    assert Duration.parse(text) == duration


@given(DURATIONS)
def test_a_duration_is_written_as_it_is_read(duration):
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize("text", ["", "3", "months", "-1 months", "1.5 months", "3 weeks", "3 months ago", "1 Monat"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"is not a duration\. Write for example '3 months' or '90 days'\.$"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("day", "duration", "times", "expected"),
    [
        (date(2024, 1, 31), MONTH, 1, date(2024, 2, 29)),
        (date(2023, 1, 31), MONTH, 1, date(2023, 2, 28)),
        (date(2024, 1, 31), MONTH, 2, date(2024, 3, 31)),  # not by way of the 29th
        (date(2024, 3, 31), MONTH, -1, date(2024, 2, 29)),
        (date(2024, 2, 29), Duration(12, "month"), 1, date(2025, 2, 28)),
        (date(2024, 12, 15), MONTH, 1, date(2025, 1, 15)),
        (date(2024, 1, 15), Duration(13, "month"), -1, date(2022, 12, 15)),
        (AS_OF, Duration(3, "month"), 1, date(2024, 6, 15)),
        (date(2024, 2, 28), Duration(1, "day"), 2, date(2024, 3, 1)),
        (AS_OF, Duration(0, "day"), 5, AS_OF),
    ],
)
def test_days_move_over_the_ends_of_months_and_years(day, duration, times, expected):
    assert duration.after(day, times) == expected
    assert duration.before(day, -times) == expected


@given(DAYS, st.integers(-30, 30))
def test_a_month_later_is_the_same_day_of_the_next_month_or_its_last(day, months):
    moved = MONTH.after(day, months)
    assert (moved.year - day.year) * 12 + moved.month - day.month == months
    assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(1)).day == 1)


@pytest.mark.parametrize(
    ("period", "number"),
    [("1 month", 12), ("2 months", 6), ("30 days", 12), ("7 days", 52), ("1 day", 365), ("12 months", 1)],
)
def test_periods_in_a_year(period, number):
    assert periods_in_year(Duration.parse(period)) == number


def test_the_worked_example_of_edges():
    # period 1 back is [2024-02-15, 2024-03-15), period 2 back is [2024-01-15, 2024-02-15)
    assert edge_index(AS_OF, MONTH, AS_OF) == 0
    assert edge_index(date(2024, 3, 14), MONTH, AS_OF) == -1
    assert edge_index(date(2024, 2, 15), MONTH, AS_OF) == -1
    assert edge_index(date(2024, 2, 14), MONTH, AS_OF) == -2
    # with anchor 2024-03-31 the edge of February is the 29th
    assert edge_index(date(2024, 2, 29), MONTH, date(2024, 3, 31)) == -1
    assert edge_index(date(2024, 2, 28), MONTH, date(2024, 3, 31)) == -2


@given(DAYS, PERIODS, DAYS)
def test_a_day_lies_between_the_edges_of_its_period(day, period, anchor):
    number = edge_index(day, period, anchor)
    assert period.after(anchor, number) <= day < period.after(anchor, number + 1)


@given(DAYS, PERIODS, st.integers(-40, 40))
def test_an_edge_begins_its_period(anchor, period, number):
    assert edge_index(period.after(anchor, number), period, anchor) == number


@given(DAYS, DAYS, PERIODS)
def test_cutoffs_that_share_edges_number_all_days_alike(first, second, period):
    shared = share_edges(first, second, period)
    assert shared == share_edges(second, first, period)
    if shared:
        offset = edge_index(second, period, first)
        for step in range(0, 800, 7):
            day = first + timedelta(step)
            assert edge_index(day, period, first) == edge_index(day, period, second) + offset


@given(DAYS, PERIODS, st.integers(-40, 40))
def test_whole_periods_share_edges_up_to_day_28(first, period, steps):
    first = first.replace(day=min(first.day, 28))
    second = period.before(first, steps)
    same_days = period.unit == "day" or steps == 0
    assert share_edges(first, second, period)
    assert share_edges(first, second + timedelta(1), period) == (same_days and (period == Duration(1, "day")))


def test_months_share_no_edge_beyond_day_28():
    assert not share_edges(date(2024, 1, 31), date(2024, 3, 31), MONTH)
    assert not share_edges(date(2024, 2, 29), date(2024, 3, 29), MONTH)
    assert not share_edges(date(2023, 2, 28), date(2023, 3, 31), MONTH)
    assert share_edges(date(2024, 1, 31), date(2024, 1, 31), MONTH)
    assert not share_edges(date(2024, 1, 15), date(2024, 2, 15), Duration(2, "month"))
    assert share_edges(date(2024, 1, 15), date(2024, 3, 15), Duration(2, "month"))


def test_the_worked_example_of_grids():
    cutoffs = [AS_OF, date(2024, 3, 31), date(2024, 1, 15), AS_OF]
    assert grids(cutoffs, MONTH) == [[date(2024, 1, 15), AS_OF], [date(2024, 3, 31)]]
    assert grids([], MONTH) == []


@given(st.lists(DAYS, max_size=12), PERIODS)
def test_grids_hold_every_cutoff_once_and_only_with_those_it_shares_edges_with(cutoffs, period):
    groups = grids(cutoffs, period)
    assert sorted(day for group in groups for day in group) == sorted(set(cutoffs))
    assert all(group == sorted(group) for group in groups)
    for place, group in enumerate(groups):
        assert all(share_edges(group[0], day, period) for day in group)
        assert not any(share_edges(group[0], other[0], period) for other in groups[place + 1 :])


def test_rolling_cutoffs_step_back_from_the_last_and_include_the_first():
    assert rolling_cutoffs(date(2024, 1, 15), AS_OF, MONTH) == [date(2024, 1, 15), date(2024, 2, 15), AS_OF]
    assert rolling_cutoffs(date(2024, 1, 16), AS_OF, MONTH) == [date(2024, 2, 15), AS_OF]
    assert rolling_cutoffs(AS_OF, AS_OF, MONTH) == [AS_OF]
    assert rolling_cutoffs(date(2024, 2, 29), date(2024, 3, 31), Duration(30, "day")) == [
        date(2024, 3, 1),
        date(2024, 3, 31),
    ]


@given(DAYS, st.integers(0, 900), PERIODS)
def test_rolling_cutoffs_share_their_edges(first, span, period):
    last = first + timedelta(span)
    last = last if period.unit == "day" else last.replace(day=min(last.day, 28))
    if first > last:
        return
    cutoffs = rolling_cutoffs(first, last, period)
    assert cutoffs[-1] == last
    assert cutoffs == sorted(set(cutoffs))
    assert len(grids(cutoffs, period)) == 1
    assert period.before(cutoffs[0]) < first <= cutoffs[0]


@pytest.mark.parametrize("day", [29, 30, 31])
def test_months_from_a_day_that_some_lack_are_refused(day):
    last = date(2024, 3, day)
    with pytest.raises(
        ConfigurationError, match=rf"last_cutoff {last} is on day {day}: .* Use day 28 or earlier, .* 2024-03-28\.$"
    ):
        rolling_cutoffs(date(2023, 1, 1), last, MONTH)


def test_no_cutoff_between_first_and_last_is_refused():
    with pytest.raises(ConfigurationError, match=r"no cut-off between 2024-03-16 .* and 2024-03-15 .* more history"):
        rolling_cutoffs(date(2024, 3, 16), AS_OF, MONTH)


def test_the_worked_example_of_a_label():
    label = Label(Duration(3, "month"), Duration(12, "month"), booking_lag=Duration(10, "day"))
    assert label.end(AS_OF) == date(2024, 6, 15)
    assert label.matures(AS_OF) == date(2024, 6, 25)
    assert label.last_matured(date(2024, 6, 25)) == AS_OF
    assert label.last_matured(date(2024, 6, 24)) == date(2024, 3, 14)


def test_the_last_matured_cutoff_is_on_a_day_that_every_month_has():
    label = Label(Duration(3, "month"), Duration(12, "month"))
    # 2024-03-29 to 31 mature on 2024-06-29 and 30
    assert label.last_matured(date(2024, 6, 30)) == date(2024, 3, 28)
    assert label.last_matured(date(2024, 7, 1)) == date(2024, 4, 1)


@given(DAYS, DURATIONS, DURATIONS)
def test_nothing_later_than_the_last_matured_has_matured(known_until, horizon, lag):
    label = Label(horizon, Duration(12, "month"), booking_lag=lag)
    last = label.last_matured(known_until)
    assert label.matures(last) <= known_until
    assert last.day <= 28
    following = last + timedelta(1) if last.day < 28 else MONTH.after(last.replace(day=1))
    assert label.matures(following) > known_until or following > known_until
