"""How past scorings turned out: those kept, and the test cut-offs beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from decisions import scoring
from readers import section, words
from sites import decided, page

from reports import hindsight


def with_scorings(site, *rows):
    return decided(site, hindsight={**site.decided["hindsight"], "scorings": list(rows)})


def test_scorings_that_were_kept_stand_before_the_test_cut_offs_as_they_were_judged(site):
    given = with_scorings(site, scoring(200, 11, 0.45), scoring(120, 7, None))
    found = hindsight.context(given)
    assert [row["day"] for row in found["rows"]] == [
        *("15 June 2024", "3 September 2024", "test cut-off 1 August 2024", "test cut-off 1 September 2024")
    ]
    assert [(row["lost"], row["hit_rate"]) for row in found["rows"][:2]] == [(11, 0.45), (7, None)]
    assert found["sentence"].startswith("2 scorings kept have matured. The rows below them are test cut-offs")
    one = hindsight.context(with_scorings(site, scoring(200, 11, 0.45)))
    assert one["sentence"].startswith("1 scoring kept has matured. The rows below it are test cut-offs")


def test_a_hit_rate_that_is_not_known_is_a_dash(site):
    html = page(with_scorings(site, scoring(200, 11, None)))
    assert "15 June 2024 45 9.8 11 –" in words(section(html, "hindsight"))


def test_a_test_cut_off_has_its_active_accounts_of_known_outcome(site):
    predictions = site.predictions.copy()
    predictions.loc[predictions.index[:20], "label"] = np.nan
    found = hindsight.context(replace(site, predictions=predictions))
    for row, (_, at) in zip(found["rows"], predictions.groupby("as_of"), strict=True):
        known = at[at["label"].notna() & ~at["lapsed"]]
        top = known.sort_values("risk", ascending=False).head(-(-len(known) // 10))
        assert row["accounts"] == len(known) < len(at)
        assert row["expected"] == pytest.approx(known["risk"].sum())
        assert row["lost"] == known["label"].sum()
        assert row["hit_rate"] == pytest.approx(top["label"].mean())


def test_of_equal_risks_the_first_by_id_are_the_riskiest(site):
    predictions = pd.DataFrame(
        {
            "account_id": [f"A{place:02d}" for place in reversed(range(20))],
            "as_of": site.predictions["as_of"].iloc[0],
            "label": [0.0] * 18 + [1.0] * 2,
            "lapsed": False,
            "risk": 0.5,
        }
    )
    (row,) = hindsight._tested(predictions)
    assert (row["accounts"], row["lost"], row["hit_rate"]) == (20, 2, 1.0)


def test_without_a_scoring_that_matured_the_page_says_when_one_will(site):
    found = hindsight.context(site)
    assert found["sentence"].startswith("No scoring kept has matured yet: its outcome is known 3 months after its day.")
    assert len(found["rows"]) == 2


@pytest.mark.parametrize("values", [{"label": np.nan}, {"lapsed": True}])
def test_without_either_there_is_nothing_to_look_back_on(site, values):
    bare = replace(site, predictions=site.predictions.assign(**values))
    assert hindsight.context(bare) is None
    assert 'id="hindsight-heading"' not in page(bare)
    kept = hindsight.context(with_scorings(bare, scoring(200, 11, 0.45)))
    assert [row["day"] for row in kept["rows"]] == ["15 June 2024"]
