"""The gate to champion: what is asked of a model, each criterion with its figures and its limit.

A first champion must be better than every baseline for sure, and calibrated. Where there is a champion already, the
challenger must moreover not be worse than it: not in ranking, not in calibration, and without telling many accounts
another reason. What is not known passes no criterion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Cell = Mapping[str, float | None]


@dataclass(frozen=True)
class Criterion:
    """What was asked: the figure that decides (an interval's lower bound where there is one), its limit, and words."""

    name: str
    passed: bool
    figure: float | None
    limit: float | None
    words: str


def against_baselines(metrics: Mapping[str, Any], gain: float, ece: float) -> list[Criterion]:
    """AUC above every baseline by more than `gain` for sure, calibration error of the mean at most `ece`.

    `metrics` is what `models.metrics.evaluate` returns, with the model as "risk".
    """
    criteria = [
        _above(f"AUC over {baseline}", f"gain in AUC over {baseline}", cells["mean"]["auc"], gain, equal=False)
        for baseline, cells in metrics["paired"]["all"].items()
    ]
    found = _ece(metrics, "risk")
    return [*criteria, _at_most("calibration", "calibration error", found, ece)]


def against_champion(
    compared: Mapping[str, Any], margin: float, ece: float, reasons: float, large: float
) -> list[Criterion]:
    """Not worse than the champion: AUC by `margin`, calibration error by `ece`; and of the accounts at most a share of
    `reasons` has another largest share, at most `large` of those whose largest share was above one half.

    `compared` is what `pipeline.champion.compare` returns.
    """
    champion = f"champion (version {compared['version']})"
    if compared["compared"] == "nothing":
        words = f"cannot be compared with the {champion}: {compared['why']}; `holdfast promote --force` replaces it"
        return [Criterion("comparison", False, None, None, words)]
    own, other = _ece(compared, "risk"), _ece(compared, "champion")
    worse = None if own is None or other is None else own - other
    told = compared["reasons"]
    auc = compared["paired"]["all"]["champion"]["mean"]["auc"]
    criteria = [
        _above("AUC against the champion", f"AUC less that of the {champion}", auc, -margin, equal=True),
        _at_most("calibration against the champion", f"calibration error less that of the {champion}", worse, ece),
        _at_most(
            "reasons", f"accounts with another largest share than by the {champion}", told["all"], reasons, share=True
        ),
    ]
    if told["large"] is None:  # no share exceeds one half: there is nothing that could flip
        return criteria
    words = "... of those whose largest share was above one half"
    return [*criteria, _at_most("large reasons", words, told["large"], large, share=True)]


def verdict(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """The gate as it is written: "passed", "why" (what failed, else that nothing did) and "criteria"."""
    failures = [criterion.words for criterion in criteria if not criterion.passed]
    champion = any(criterion.name == "reasons" for criterion in criteria)
    fine = "better than every baseline, calibration within its limit" + (
        "; not worse than the champion, reasons steady" if champion else ""
    )
    return {
        "passed": not failures,
        "why": "; ".join(failures) if failures else fine,
        "criteria": [asdict(criterion) for criterion in criteria],
    }


def _ece(metrics: Mapping[str, Any], model: str) -> float | None:
    value: float | None = metrics["population"]["all"][model]["mean"]["ece"]["value"]
    return value


def _above(name: str, what: str, cell: Cell, limit: float, equal: bool) -> Criterion:
    low, value = cell["low"], cell["value"]
    passed = low is not None and (low >= limit if equal else low > limit)
    rule = "at or above" if equal else "above"
    if low is None or value is None:
        return Criterion(name, False, None, limit, f"{what} unknown, must be {rule} {limit:+.4f}")
    words = f"{what} {value:+.4f}, from {low:+.4f}, {'' if passed else 'not '}{rule} {limit:+.4f}"
    return Criterion(name, passed, low, limit, words)


def _at_most(name: str, what: str, value: float | None, limit: float, share: bool = False) -> Criterion:
    digits = ".1%" if share else ".4f"
    if value is None:
        return Criterion(name, False, None, limit, f"{what} unknown, must be at most {limit:{digits}}")
    passed = value <= limit
    words = f"{what} {value:{digits}}, {'' if passed else 'not '}at most {limit:{digits}}"
    return Criterion(name, passed, value, limit, words)
