"""The search as a picture: what each trial came to, and which parameters mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from matplotlib.figure import Figure
from optuna.trial import TrialState

from features.files import written_file
from models.tuning import Tried

LEAST = 8  # whole trials below which importance is chance alone


def importance(study: optuna.Study) -> dict[str, float]:
    """Share of the variation among the better trials that each parameter accounts for, the largest first.

    Empty where there are fewer than `LEAST` whole trials, or all are equal. Source: Watanabe et al. (2023), PED-ANOVA,
    IJCAI.
    """
    values = {trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if len(values) < LEAST:
        return {}
    found: Mapping[str, float] = optuna.importance.get_param_importances(study)
    return {name: float(share) for name, share in found.items()}


def plot(trials: Sequence[Tried], shares: Mapping[str, float], path: Path) -> None:
    """Write a PNG: AUC of each trial less that of the present parameters at the same cut-offs, for one that was given
    up has not seen them all; and the importance of the parameters."""
    present = trials[0].auc
    gain = {trial.number: np.mean([trial.auc[cutoff] - present[cutoff] for cutoff in trial.auc]) for trial in trials}
    figure = Figure(figsize=(11, 4), layout="constrained")
    history, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    whole = [trial.number for trial in trials if not trial.pruned]
    pruned = [trial.number for trial in trials if trial.pruned]
    reached = [gain[number] for number in whole]
    history.scatter(whole, reached, s=18, label="at all cut-offs")
    if pruned:
        left = [gain[number] for number in pruned]
        history.scatter(pruned, left, s=18, marker="x", color="grey", label="at those before it was given up")
    history.step(whole, np.maximum.accumulate(reached), where="post", label="best so far")
    history.axhline(0, color="grey", linestyle="--", linewidth=1, label="present parameters")
    history.set_xlabel("trial")
    history.set_ylabel("mean AUC less the present one")
    history.legend(loc="lower right", fontsize=8)
    if shares:
        names = list(shares)[::-1]
        bars.barh(names, [shares[name] for name in names])
        bars.set_xlabel("importance among the better trials")
    else:
        bars.set_axis_off()
        bars.text(0.5, 0.5, "too few trials to say\nwhat mattered", ha="center", va="center")
    with written_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
