"""The season: recovered where it comes again, halved where one year is known, nothing where chance alone moves levels."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from features.errors import ContractError
from features.periods import Duration, rolling_cutoffs
from models.season import HALF, Season, season, shifts

MONTH = Duration(1, "month")
WAVE = [0.8 * np.sin(2 * np.pi * month / 12) for month in range(12)]  # by month of the cut-off


def rows_of(cutoffs, level, accounts=20_000, seed=1) -> pd.DataFrame:
    """Active accounts at each cut-off, of which a share is lost; and lapsed ones, which must not count."""
    rng = np.random.default_rng(seed)
    frames = []
    for day in cutoffs:
        lost = rng.random(accounts) < expit(level(day))
        frames.append(pd.DataFrame({"as_of": day, "label": lost.astype(float), "lapsed": False}))
        frames.append(pd.DataFrame({"as_of": day, "label": 1.0, "lapsed": [True] * rng.integers(1, 99)}))
    return pd.concat(frames, ignore_index=True)


def test_of_one_year_half_comes_again():
    cutoffs = rolling_cutoffs(date(2023, 1, 10), date(2023, 12, 10), MONTH)
    found = season(rows_of(cutoffs, lambda day: -1 + WAVE[day.month - 1]))
    assert found.weight == pytest.approx(HALF, abs=0.01)
    assert found.shift(date(2024, 4, 10)) == pytest.approx(HALF * (WAVE[3] - np.mean(WAVE)), abs=0.03)


def test_a_season_that_came_again_for_years_counts_for_more_and_one_that_did_not_for_less():
    cutoffs = rolling_cutoffs(date(2018, 1, 10), date(2023, 12, 10), MONTH)
    again = season(rows_of(cutoffs, lambda day: -1 + WAVE[day.month - 1]))
    never = season(rows_of(cutoffs, lambda day: -1 + WAVE[(day.month - 1 + 6 * (day.year % 2)) % 12]))
    assert again.weight > 0.85
    assert never.weight == 0
    assert again.shift(date(2024, 4, 10)) == pytest.approx(again.weight * (WAVE[3] - np.mean(WAVE)), abs=0.03)


def test_levels_that_move_by_chance_alone_have_no_season():
    cutoffs = rolling_cutoffs(date(2022, 1, 10), date(2023, 12, 10), MONTH)
    assert season(rows_of(cutoffs, lambda day: -2.0, accounts=300)).weight < 0.15
    assert season(rows_of(cutoffs[:1], lambda day: -2.0)).weight == 0


def test_a_day_that_last_year_tells_nothing_of_is_not_moved():
    cutoffs = rolling_cutoffs(date(2023, 1, 10), date(2023, 9, 10), MONTH)
    known = Season({day: 0.1 * place for place, day in enumerate(cutoffs)}, 1.0)
    assert known.shift(date(2023, 6, 10)) == 0  # no year before it
    assert known.shift(date(2024, 2, 10)) == pytest.approx(0.1 - 0.4)
    assert known.shift(date(2024, 2, 20)) == pytest.approx(0.1 - 0.4)  # near enough
    assert known.shift(date(2024, 10, 10)) == 0  # the year before ends on 2023-09-10
    assert Season({day: 0.1 for day in cutoffs[:5]}, 1.0).shift(date(2024, 2, 10)) == 0  # too few for a mean
    assert Season({}, 0.0).calendar() == {}


def test_only_what_had_matured_a_year_ago_is_looked_at():
    """The shift of a day knows of the levels before the day alone."""
    cutoffs = rolling_cutoffs(date(2022, 1, 10), date(2023, 12, 10), MONTH)
    levels = {day: WAVE[day.month - 1] for day in cutoffs}
    day = date(2023, 6, 10)
    turned = {cutoff: level + 9.0 * (cutoff >= day) for cutoff, level in levels.items()}
    assert Season(levels, 0.7).shift(day) == Season(turned, 0.7).shift(day) != 0


def test_a_calendar_holds_a_year_and_tells_the_same_as_the_season():
    cutoffs = rolling_cutoffs(date(2021, 1, 10), date(2023, 12, 10), MONTH)
    found = season(rows_of(cutoffs, lambda day: -1 + WAVE[day.month - 1], accounts=500))
    calendar = found.calendar()
    assert len(calendar) == 12
    days = [MONTH.after(date(2023, 12, 10), step) for step in range(1, 12)]
    told = shifts(calendar, pd.DataFrame({"as_of": days}))
    np.testing.assert_allclose(told, found.shifts(pd.Series(days)), atol=1e-12)


@given(st.dates(date(1999, 1, 1), date(2030, 12, 31)), st.dates(date(2001, 1, 1), date(2001, 12, 31)))
def test_a_calendar_knows_the_days_around_in_any_year(day, known):
    near = min(abs((day - date(year, known.month, known.day)).days) for year in range(day.year - 1, day.year + 2))
    found = shifts({f"{known:%m-%d}": 0.3}, pd.DataFrame({"as_of": [day]}))
    if near <= 15:
        assert found == [0.3]
    elif near >= 18:  # a leap day lies between at most
        assert found == [0.0]


def test_without_the_day_there_is_no_season():
    with pytest.raises(ContractError, match="as_of is missing: risks have a season"):
        shifts({}, pd.DataFrame({"recency": [1.0]}))
