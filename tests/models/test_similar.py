"""Similar past accounts: the nearest by a slow search, of other accounts, and only where the end was known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.periods import Duration, Label
from models.attribution import contributions, grouped
from models.similar import past_cutoffs, similar

LABEL = Label(Duration(1, "month"), Duration(12, "month"))
AS_OF = date(2024, 6, 1)
COLUMNS = ["account_id", "place", "similar_account", "as_of", "risk_then", "lost", "distance"]


@pytest.fixture(scope="module")
def past(matrix):
    """200 accounts at each of six cut-offs; the label of the last, the as_of, is not known."""
    frame = matrix.sort_values("as_of", kind="stable").reset_index(drop=True)
    frame["account_id"] = [f"A{place % 200:03}" for place in range(len(frame))]
    frame.loc[frame["as_of"] == AS_OF, "label"] = np.nan
    return frame


@pytest.fixture(scope="module")
def live(past):
    return past[past["as_of"] == AS_OF].drop(columns="label").iloc[::-1]


def slow(model, live, past, accounts):
    table = grouped(contributions(model, past)[0]).assign(log_odds=model.log_odds(past))
    now = grouped(contributions(model, live)[0]).assign(log_odds=model.log_odds(live))
    scale = table.std(ddof=0).replace(0.0, 1.0)
    result = []
    for place, account in zip(live.index, live["account_id"], strict=True):
        away = np.sqrt((((table - now.loc[place]) / scale) ** 2).sum(axis=1))
        rows = past.assign(distance=away).sort_values(
            ["distance", "account_id", "as_of"], ascending=[True, True, False]
        )
        rows = rows[rows["account_id"] != account].drop_duplicates("account_id").head(accounts)
        for number, row in enumerate(rows.itertuples(), 1):
            risk = float(model.predict(past.loc[[row.Index]])[0])
            result.append((account, number, row.account_id, row.as_of, risk, row.label == 1, row.distance))
    return pd.DataFrame(result, columns=COLUMNS)


@pytest.mark.parametrize("accounts", [1, 3])
def test_they_are_those_of_a_slow_search(model, live, past, accounts):
    inputs = live.copy(), past.copy()
    found = similar(model, live, past, LABEL, accounts, 12)
    pd.testing.assert_frame_equal(live, inputs[0])
    pd.testing.assert_frame_equal(past, inputs[1])
    known = past[past["as_of"] < AS_OF]
    pd.testing.assert_frame_equal(found, slow(model, live, known, accounts), check_dtype=False)
    assert found["as_of"].nunique() == 5
    assert set(found["lost"]) == {False, True}


def test_an_account_is_not_similar_to_itself_or_twice_to_another(model, live, past):
    found = similar(model, live, past, LABEL, 5, 12)
    assert (found["account_id"] != found["similar_account"]).all()
    assert not found.duplicated(["account_id", "similar_account"]).any()
    assert found.groupby("account_id")["place"].agg(list).map(lambda places: places == [1, 2, 3, 4, 5]).all()
    assert (found.groupby("account_id")["distance"].diff().dropna() >= 0).all()


def test_equal_distances_go_to_the_earlier_account_at_its_latest_cutoff(model, live, past):
    one = past.iloc[[0]]
    days = (date(2024, 4, 1), date(2024, 5, 1))  # the model's season knows none of them
    copies = pd.concat([one.assign(account_id=f"B{place:02}", as_of=day) for day in days for place in range(40)])
    others = past[past["as_of"] == days[0]]
    same = one.assign(account_id="Z", as_of=AS_OF)
    found = similar(model, same, pd.concat([others, copies.iloc[::-1]]), LABEL, 3, 12)
    assert found["similar_account"].tolist() == ["B00", "B01", "B02"]
    assert found["as_of"].tolist() == [days[1]] * 3
    assert found["distance"].tolist() == [0.0, 0.0, 0.0]


def test_what_is_not_known_yet_changes_nothing(model, live, past):
    early = live.assign(as_of=date(2024, 5, 15))
    found = similar(model, early, past, LABEL, 3, 12)
    assert found["as_of"].max() == date(2024, 4, 1)  # the label of May ends in June
    later = past["as_of"] > date(2024, 4, 1)
    other = past.assign(label=past["label"].mask(later, 1 - past["label"]), recency=past["recency"].mask(later, 99.0))
    pd.testing.assert_frame_equal(similar(model, early, other, LABEL, 3, 12), found)
    pd.testing.assert_frame_equal(similar(model, early, past[~later], LABEL, 3, 12), found)


@pytest.mark.parametrize(
    ("as_of", "label", "most", "months"),
    [
        (AS_OF, LABEL, 12, [5, 4, 3, 2, 1]),
        (date(2024, 5, 31), LABEL, 12, [4, 3, 2, 1]),
        (AS_OF, LABEL, 2, [5, 4]),
        (AS_OF, Label(Duration(2, "month"), Duration(12, "month")), 12, [4, 2]),
        (AS_OF, Label(Duration(1, "month"), Duration(12, "month"), booking_lag=Duration(1, "day")), 12, [4, 3, 2, 1]),
        (date(2024, 1, 31), LABEL, 12, []),
    ],
)
def test_cutoffs_are_a_horizon_apart_and_their_labels_known(past, as_of, label, most, months):
    assert past_cutoffs(past, as_of, label, most) == [date(2024, month, 1) for month in months]


def test_fewer_accounts_than_asked_for_are_fewer_rows(model, live, past):
    few = past[past["account_id"].isin(["A000", "A001"])]
    found = similar(model, live[live["account_id"].isin(["A001", "A002"])], few, LABEL, 3, 12)
    assert found.groupby("account_id")["similar_account"].agg(set).to_dict() == {
        "A001": {"A000"},
        "A002": {"A000", "A001"},
    }


def test_without_a_known_end_there_is_nobody_similar(model, live, past):
    for now, then in (
        (live, past.assign(label=np.nan)),
        (live.assign(as_of=date(2024, 1, 1)), past),
        (live.head(0), past),
    ):
        found = similar(model, now, then, LABEL, 3, 12)
        assert found.empty
        assert found.columns.tolist() == COLUMNS


def test_the_order_of_the_past_rows_does_not_matter(model, live, past):
    shuffled = past.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        similar(model, live, shuffled, LABEL, 3, 12), similar(model, live, past, LABEL, 3, 12)
    )


def test_what_was_the_same_for_all_past_rows_is_not_blown_up(model, live, past):
    """The deviation of equal numbers may be next to nothing instead of nothing."""
    alike = pd.concat([past.iloc[[7]].assign(account_id=f"B{place:02}") for place in range(37)])
    found = similar(model, live.head(5), alike, LABEL, 3, 12)
    assert len(found) == 15
    assert found["distance"].max() < 50
