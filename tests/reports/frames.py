"""Made-up frames of a scoring as stages score, explain and evaluate write them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.matrix import SILENT
from models import campaign, evidence, label_free, naming, slices
from models.metrics import evaluate
from models.taxonomy import taxonomy

DAY, BEFORE = date(2025, 1, 1), date(2024, 12, 1)
UNSEEN = ("competitor", "turbulence")  # reasons that the scores below do not show
MODELS = ["risk", "recency", "rfm_logistic", "bg_nbd"]
ECONOMICS = campaign.Economics(0.25, None, 0.05, 0.0, 0.0, 0.4, 10.0)


def scores_of(n: int = 60) -> pd.DataFrame:
    """A001 is active and the second of all by its risk; every fourth account is lapsed."""
    rng = np.random.default_rng(3)
    codes = taxonomy().codes
    weight = rng.gamma(0.4, 1.0, (n, len(codes) + 1))
    weight[:, [codes.index(code) for code in UNSEEN]] = 0.0
    share = pd.DataFrame(
        weight / weight.sum(axis=1, keepdims=True),
        columns=[f"share_{code}" for code in (*codes, "unexplained")],
    )
    share[[f"share_{code}" for code in UNSEEN]] = np.nan
    risk = np.sort(rng.beta(1, 4, n))[::-1]
    amount = np.round(rng.gamma(2.0, 10_000, n), 2)
    first = pd.DataFrame(
        {
            "account_id": [f"A{i:03d}" for i in range(n)],
            "as_of": DAY,
            "lapsed": np.arange(n) % 4 == 0,
            "risk": risk,
            "risk_low": risk * 0.8,
            "risk_high": np.minimum(risk * 1.2, 1.0),
            **{name: risk ** (3 / step) for step, name in enumerate(SILENT[:6], start=1)},
            "rank": range(1, n + 1),
            "amount_12": amount,
            "expected_loss": risk * amount,
        }
    )
    first["contact_profit"] = np.where(first["lapsed"], np.nan, risk * 0.4 * 0.25 * amount - 250)
    learned = share.mul(np.where(np.arange(n) % 7 == 1, 0.4, 1.0), axis=0)  # some owe much to what nobody learned from
    return pd.concat([first, naming.name(share, learned, 0.5, 0.1), share], axis=1)


def evidence_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Two sentences for each reason told of, and one against the loss."""
    rows = []
    for row in scores.to_dict("records"):
        account = row["account_id"]
        for place in (1, 2, 3):
            code = row[f"reason_{place}"]
            if not pd.isna(code) and code != "unexplained":
                for n, word in enumerate(("First", "Second"), start=1):
                    rows.append((account, code, place, n, f"{word} sentence about {code} of {account}."))
        rows.append((account, "neglected_details", 0, 1, f"Sentence for keeping {account}."))
    told = pd.DataFrame(rows, columns=["account_id", "code", "place", "number", "sentence"])
    told = told.assign(feature="recency", value=1.0, before=np.nan, now=1.0, peers=np.nan, others=None)
    told = told.assign(as_of=DAY, past=date(2024, 7, 1), latest=DAY)[[*evidence.COLUMNS, "sentence"]]
    return told.sample(frac=1, random_state=1, ignore_index=True) if len(told) else told


def explanations_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Each risk was two thirds of what it is; A001 was not scored then."""
    risk = scores["risk"]
    table = pd.DataFrame(
        {
            "account_id": scores["account_id"],
            "risk_without_broken_promises": risk * 0.8,
            "risk_without_staff_turnover": risk - 0.001,
            "since": BEFORE,
            "kept": True,
            "risk_then": risk * 2 / 3,
            "change_symptom": risk * 0.5,
            "change_broken_promises": -risk / 6,
            "change_model": 0.0,
        }
    ).astype({"since": object, "kept": object})
    then = ["since", "kept", "risk_then", "change_symptom", "change_broken_promises", "change_model"]
    table.loc[table["account_id"] == "A001", then] = np.nan
    return table


def previous_of(scores: pd.DataFrame) -> pd.DataFrame:
    """The scoring a month before, by the same risks; A001 is new since, and B1 and B2 are gone."""
    known = scores.loc[scores["account_id"] != "A001", ["account_id", "lapsed", "risk", "amount_12"]]
    gone = pd.DataFrame({"account_id": ["B1", "B2"], "lapsed": False, "risk": 0.5, "amount_12": [1000.0, 234.5]})
    before = known.assign(risk=known["risk"] * 2 / 3, amount_12=(known["amount_12"] * 0.9).round(2))
    return pd.concat([before, gone], ignore_index=True).assign(as_of=BEFORE, kept=True)[
        ["account_id", "as_of", "kept", "lapsed", "risk", "amount_12"]
    ]


def similar_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Two past accounts for each: the next of the scores, which was lost, and Z9, which has gone since and was not."""
    accounts = scores["account_id"].tolist()
    rows = []
    for place, account in enumerate(accounts):
        rows.append((account, 1, accounts[(place + 1) % len(accounts)], date(2024, 1, 1), 0.43, True, 0.5))
        rows.append((account, 2, "Z9", date(2023, 10, 1), 0.12, False, 0.75))
    return pd.DataFrame(
        rows, columns=["account_id", "place", "similar_account", "as_of", "risk_then", "lost", "distance"]
    )


def predictions_of(accounts: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = accounts * 2
    risk = rng.beta(1, 3, n)
    frame = pd.DataFrame(
        {
            "account_id": np.tile([f"A{i:03d}" for i in range(accounts)], 2),
            "as_of": np.repeat([date(2024, 8, 1), date(2024, 9, 1)], accounts),
            "label": (rng.random(n) < risk).astype(float),
            "lapsed": risk > 0.5,
            "value": rng.gamma(0.7, 10_000, n),
            "tier": rng.integers(0, 5, n),
            "region": np.where(rng.random(n) < 0.5, "North", None),
            "tenure": rng.uniform(1, 1500, n),
            "risk": risk,
        }
    )
    for model, noise in zip(MODELS[1:], (0.4, 0.2, 0.3), strict=True):
        frame[model] = np.clip(risk + rng.normal(0, noise, n), 0.0, 1.0)
    return frame


def metrics_of(predictions: pd.DataFrame) -> dict[str, Any]:
    return {
        **evaluate(predictions, MODELS, bootstrap=20, level=0.95, seed=1),
        "money": {"active": campaign.measure(predictions, MODELS, ECONOMICS, 20, 0.95, 1)},
        "slices": slices.by_slice(predictions, ["risk", "bg_nbd"], 20, 0.95, 1),
        "label_free": label_free.checked(predictions, 40, 0.95, 1),
        "interval": {"level": 0.95, "resamples": 20},
    }


def plan_of(scores: pd.DataFrame) -> dict[str, Any]:
    risk = scores.loc[~scores["lapsed"], "risk"]
    value = np.full(len(risk), 5_000.0)
    return campaign.plan(risk, value, ECONOMICS.terms(value), 20, 0.95, 1)
