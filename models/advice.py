"""What a check of `models.monitoring` looks at, and what to do when it is passed: messages of the report (`reports/language.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.monitoring import Check

Unit = Literal["index", "share", "days"]
NOTHING = "Nothing."


@dataclass(frozen=True)
class Advice:
    """`title` of a kind of check, `meaning` of its value in `unit`, and what to `do` at watch or alarm."""

    title: str
    meaning: str
    unit: Unit
    do: str


ADVICE: dict[str, Advice] = {
    "stale_days": Advice(
        "Age of the data",
        "Days since the last row of a table was known.",
        "days",
        "Check the extract of this table: its rows stop earlier than they ever did. Do not act on reasons that rest on it.",
    ),
    "model_days": Advice(
        "Age of the model",
        "Days since the last outcome that the model learned from.",
        "days",
        "Train again on the outcomes known since.",
    ),
    "bounds": Advice(
        "Beyond the declared bounds",
        "Share of active accounts whose value no sound data can give.",
        "share",
        "Check the extract and its SQL: amounts, dates or units of the tables that this feature reads are wrong.",
    ),
    "missing": Advice(
        "Missing values",
        "By how much the share of active accounts without a value has changed.",
        "share",
        "Check whether a table or column of the extract is empty or newly filled; if it is meant so, train again.",
    ),
    "unseen": Advice(
        "Beyond what training saw",
        "Share of active accounts whose value lies outside the range of all cut-offs trained on.",
        "share",
        "The model guesses there as at the end of its range. Check the extract; if it is real, train again when labels mature.",
    ),
    "accounts": Advice(
        "Number of accounts",
        "By how much more or fewer accounts are eligible, as a part of those before.",
        "share",
        "Check whether accounts or orders of a region or channel are missing, or were taken over from elsewhere.",
    ),
    "lapsed": Advice(
        "Lapsed accounts",
        "By how much the share of eligible accounts that is lapsed has changed.",
        "share",
        "Check whether the latest orders are complete; if they are, the market has changed: tell the sales director.",
    ),
    "drift": Advice(
        "Drift of a feature",
        "Stability index of the active accounts' values.",
        "index",
        "Look at the picture: if the data are right and the model uses the feature, train again when labels mature.",
    ),
    "risk": Advice(
        "Distribution of the risk",
        "Stability index of the active accounts' risks, both by this model.",
        "index",
        "See which features drifted. If the data are right, the worklist may be longer or shorter; no retraining by itself.",
    ),
    "expected_share": Advice(
        "Expected losses",
        "By how much the share of active accounts expected to be lost has changed, as a part of it.",
        "share",
        "See which features drifted and which reason rose. If the data are right, plan hours and offers for so many.",
    ),
    "reason_mix": Advice(
        "Mix of reasons",
        "Part of the expected losses that has another reason than before.",
        "share",
        "See which reason rose: if its tables are right, its owner acts on the cause itself, not account by account.",
    ),
    "auc": Advice(
        "Order of a matured scoring",
        "By how much the AUC's upper bound lies below the lower one that was promised.",
        "index",
        "Train again, and let `holdfast evaluate` decide who is champion; until then trust the order less than it promises.",
    ),
    "level": Advice(
        "Losses of a matured scoring",
        "By how much losses missed what was expected, as a part of it.",
        "share",
        "Train again: levels have moved. The order still holds if its AUC does.",
    ),
    "calibration": Advice(
        "Calibration of a matured scoring",
        "Calibration error of the active accounts.",
        "share",
        "Train again; until then do not reckon money from these risks.",
    ),
    "names": Advice(
        "Named reasons of a matured scoring",
        "By how much the upper bound of their precision on audited exits lies below `explain.precision`.",
        "share",
        "Have more exits audited, then `holdfast reasons --learn`; raise `explain.precision` until it holds.",
    ),
}


def to_do(check: Check) -> str:
    """The plain sentence of what to do about a check."""
    return NOTHING if check.verdict == "fine" else ADVICE[check.kind].do
