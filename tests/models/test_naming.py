"""A reason is named only where names were right often enough; else two candidates, or none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.reasons_page import DEVELOPMENT_SEEDS, SEEDS
from features.errors import ConfigurationError
from models import naming
from models.naming import curve, least_share, name, of_other_recipe, write_curve
from models.shares import Weights, shares
from models.taxonomy import taxonomy
from pipeline.params import load

ROOT = Path(__file__).resolve().parents[2]
CODES = taxonomy().codes


def share_of(**values: float) -> pd.DataFrame:
    row = {f"share_{code}": values.get(code, 0.0) for code in (*CODES, "unexplained")}
    row["share_unexplained"] = 1 - sum(values.values())
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("values", "naming", "reasons"),
    [
        ({"product": 0.6, "competitor": 0.2, "turbulence": 0.05}, "named", ["product", "competitor", None]),
        ({"product": 0.5}, "named", ["product", None, None]),
        ({"product": 0.3, "competitor": 0.25, "turbulence": 0.2}, "candidates", ["product", "competitor", None]),
        ({"product": 0.45, "competitor": 0.06}, "candidates", ["product", "competitor", None]),
        ({"product": 0.45, "competitor": 0.05}, "candidates", ["product", "competitor", None]),
        ({"product": 0.48, "competitor": 0.04}, "none", ["unexplained", None, None]),  # so much has who shows nothing
        ({"product": 0.45}, "none", ["unexplained", None, None]),
        ({"product": 0.2, "competitor": 0.2}, "none", ["unexplained", None, None]),
        ({}, "none", ["unexplained", None, None]),
    ],
)
def test_named_candidates_or_none(values, naming, reasons):
    share = share_of(**values)
    told = name(share, share, least=0.5, also=0.1).iloc[0]
    assert told["naming"] == naming
    assert [None if pd.isna(code) else code for code in told[["reason_1", "reason_2", "reason_3"]]] == reasons


@pytest.mark.parametrize(("learned", "naming"), [(0.55, "named"), (0.5, "named"), (0.45, "untried"), (0.0, "untried")])
def test_a_reason_that_owes_its_share_to_what_nobody_learned_from_is_a_guess(learned, naming):
    given, alone = share_of(turbulence=0.7, competitor=0.2), share_of(turbulence=learned, competitor=0.3)
    told = name(given, alone, least=0.5, also=0.1).iloc[0]
    assert told[["naming", "reason_1", "reason_2"]].tolist() == [naming, "turbulence", "competitor"]


def test_equal_shares_stand_in_the_order_of_the_taxonomy():
    share = share_of(product=0.25, broken_promises=0.25, competitor=0.25)
    told = name(share, share, least=0.5, also=0.1).iloc[0]
    assert told[["reason_1", "reason_2"]].tolist() == ["competitor", "broken_promises"]


def test_reasons_that_cannot_be_seen_are_never_told():
    share = share_of(product=0.1).assign(**{f"share_{code}": np.nan for code in CODES if code != "product"})
    assert name(share, share, least=0.0, also=0.0)["reason_1"].tolist() == ["product"]
    nothing = share.assign(share_product=np.nan, share_unexplained=1.0)
    assert name(nothing, nothing, least=0.0, also=0.0)["naming"].tolist() == ["none"]


def test_the_shipped_curve_names_at_the_precision_asked_for_and_says_when_it_cannot():
    content = json.loads(naming.CURVE_FILE.read_text())
    limits = [row["least_share"] for row in content["curve"]]
    precisions = [row["precision"] for row in content["curve"]]
    assert limits == sorted(limits)
    assert precisions == sorted(precisions)
    assert least_share(0.0) == 0.0
    assert 0.3 < least_share(0.7) < 0.8
    with pytest.raises(ConfigurationError, match=r"explain\.precision: 1\.0 was not reached .* Ask for less"):
        least_share(1.0)


def test_the_curve_of_calibrated_shares_is_their_mean(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    top = rng.uniform(0.2, 0.95, 4000)
    share = pd.DataFrame(0.0, index=range(4000), columns=[f"share_{code}" for code in CODES]).assign(share_product=top)
    reason = pd.Series(np.where(rng.random(4000) < top, "product", "competitor"))
    rows = pd.DataFrame(curve(share, reason)).set_index("least_share")
    for least in (0.2, 0.5, 0.8):
        assert rows.loc[least, "precision"] == pytest.approx(top[top >= least].mean(), abs=0.03)
        assert rows.loc[least, "named"] == pytest.approx((top >= least).mean())
    assert rows["precision"].is_monotonic_increasing
    assert rows.index.max() < 0.95  # a hundred names at least
    monkeypatch.setattr(naming, "CURVE_FILE", tmp_path / "naming.json")
    write_curve(share, reason, pd.Series(np.arange(4000) % 7), {"lead": 3, "leaves": (2, 6)})
    assert least_share(0.7) == pytest.approx(0.47, abs=0.06)
    assert of_other_recipe({"lead": 3, "leaves": (2, 6)}) == []
    assert of_other_recipe({"lead": 4, "leaves": (2, 6), "lags": 1}) == ["lags", "lead"]


def test_the_shipped_curve_was_measured_with_the_shipped_parameters_on_the_development_seeds():
    assert of_other_recipe(load(ROOT, "simulated").reasons.model_dump()) == []
    assert json.loads(naming.CURVE_FILE.read_text())["seeds"] == sorted(DEVELOPMENT_SEEDS)
    assert not set(SEEDS) & set(DEVELOPMENT_SEEDS)


def test_a_reason_of_which_nothing_shows_is_no_second_candidate():
    """With the shipped parameters, one reason at work, and that less than it takes to be named."""
    weights = Weights(
        *(getattr(load(ROOT, "simulated").reasons, name) for name in ("power", "floor", "unexplained")), {}
    )
    hazards = pd.DataFrame(0.0, index=[0], columns=CODES)
    for hazard in np.linspace(0.05, 2, 40):
        share = shares(hazards.assign(turbulence=hazard), weights)
        told = name(share, share, least_share(0.7), 0.1).iloc[0]
        assert told["naming"] in ("named", "none")
        assert pd.isna(told["reason_2"])


def test_seeds_that_differ_make_the_threshold_higher():
    """Half of the seeds' names are right less often than the shares say: what is asked must hold there too."""
    rng = np.random.default_rng(2)
    top = rng.uniform(0.2, 0.95, 7000)
    seed = pd.Series(np.arange(7000) % 7)
    share = pd.DataFrame(0.0, index=range(7000), columns=[f"share_{code}" for code in CODES]).assign(share_product=top)
    chance = np.where(seed < 3, top - 0.15, top + 0.1)
    reason = pd.Series(np.where(rng.random(7000) < chance, "product", "competitor"))
    rows = [
        pd.DataFrame(found).set_index("least_share")["precision"]
        for found in (curve(share, reason), curve(share, reason, seed))
    ]
    assert rows[1].loc[0.5] < rows[0].loc[0.5] - 0.03
