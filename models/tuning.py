"""Which parameters rank risk best at rolling cut-offs: the search, and whether what it found can be told from luck.

A trial fits a set of parameters at each validation cut-off on what had matured by then and is judged by the mean AUC.
AUC, because that is what the gate to champion and every comparison of the project are about, and because it does not
move with the share that is lost in a month, which no parameter can help. It says nothing of probabilities, so the log loss, a proper score, is told
beside it, and a set whose log loss is higher for sure is never recommended.

How the parameters are fitted is no concern of this module: it is handed one function from values and a cut-off to
risks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.trial import TrialState

from features.files import written_file
from models.metrics import Tally, auc, interval, multiplicities, tally

FloatArray = NDArray[np.float64]
Values = Mapping[str, Any]
Predict = Callable[[Values, date], FloatArray]  # fit the values on what had matured at a cut-off: risks of its rows

FINALISTS = 30  # trials compared account by account: the first ones and the best; more would only take longer
FOLD = 10  # a range whose ends are so many times apart is searched on the scale of logarithms
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
BETTER, KEEP = "change", "keep"

_SMALL = 1e-6  # the log loss of a prediction of exactly 0 or 1 would be infinite


@dataclass(frozen=True)
class Range:
    """Where a parameter is searched, both ends included; `whole` numbers only if it counts something."""

    low: float
    high: float
    whole: bool

    def holding(self, value: float) -> Range:
        """The range, widened if need be to hold `value`."""
        return Range(min(self.low, value), max(self.high, value), self.whole)

    def suggest(self, trial: optuna.Trial, name: str) -> int | float:
        """A value to three digits: what is written into params.yaml is what was tried."""
        log = self.low > 0 and self.high > FOLD * self.low
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=log)
        return float(f"{trial.suggest_float(name, self.low, self.high, log=log):.3g}")


@dataclass(frozen=True)
class Task:
    """What is searched, and on which rows. `first` are values that are tried before any search, the present ones ahead.

    `rows` has account_id, as_of and label (0 or 1) of the validation cut-offs; `predict` gives the risks of a cut-off's
    rows in their order.
    """

    rows: pd.DataFrame
    cutoffs: tuple[date, ...]
    first: tuple[Values, ...]
    space: Mapping[str, Range]
    predict: Predict
    warm: int  # trials at random before the sampler learns from them
    seed: int


@dataclass(frozen=True)
class Tried:
    """A trial that has ended: its measures by cut-off, the later cut-offs first; a pruned one has not seen them all."""

    number: int  # how many had ended before it: 0 are the present parameters
    values: Values
    pruned: bool
    auc: Mapping[str, float]
    log_loss: Mapping[str, float]
    seconds: float
    file: Path  # of its risks, in the order of the task's rows; none if pruned

    @property
    def mean_auc(self) -> float:
        return float(np.mean(list(self.auc.values())))


def log_loss(counts: Tally) -> FloatArray:
    """Log loss: mean of -log of the probability that was given to what happened.

    Range 0 to infinity, lower is better; nats. NaN if nothing has a weight. Predictions are clipped to [1e-6, 1 - 1e-6].
    Source: Good (1952), Journal of the Royal Statistical Society B 14(1).
    """
    risk = counts.risk.clip(_SMALL, 1 - _SMALL)
    of_lost, of_kept = -np.log(risk), -np.log1p(-risk)
    total = np.einsum("bg,g->b", counts.lost, of_lost) + np.einsum("bg,g->b", counts.kept, of_kept)
    out: FloatArray = np.full(total.shape, np.nan)
    np.divide(total, counts.weight, out=out, where=counts.weight > 0)
    return out


@contextmanager
def open_study(path: Path, name: str, fresh: bool = False) -> Iterator[optuna.Study]:
    """The study of that name in the SQLite file at `path`, new if there is none or if it shall be `fresh`.

    A trial at which an earlier run was broken off counts as failed: it is tried again.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}")
    if fresh and name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)
    pruner = optuna.pruners.MedianPruner()
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True, pruner=pruner
    )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    try:
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def search(
    task: Task, study: optuna.Study, folder: Path, more: Callable[[int], bool], told: Callable[[Tried], None]
) -> None:
    """Try values while `more(trials ended so far)`; each trial that ends is `told`. Risks are kept under `folder`.

    What trial n tries depends on the seed, on n and on the trials before it, not on the run it falls into: a search
    that was broken off and goes on finds what one run would have found. A trial is given up when, after any of the
    cut-offs, its mean AUC so far lies below the median of the trials that had been there; the first ones never are.
    """
    ended = len(tried(study, folder))
    while more(ended):
        first = ended < len(task.first)
        # a sampler of its own for each trial: a generator's state would not outlive the run
        study.sampler = optuna.samplers.TPESampler(seed=task.seed + ended, n_startup_trials=task.warm)
        if first and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial(dict(task.first[ended]))
        trial = study.ask()
        values = {name: bounds.suggest(trial, name) for name, bounds in task.space.items()}
        values = dict(task.first[ended]) if first else values  # those are as they are, not to three digits
        pruned = _try(task, trial, values, folder, never_pruned=first)
        study.tell(trial, state=TrialState.PRUNED if pruned else None, values=None if pruned else _mean_auc(trial))
        told(tried(study, folder)[-1])
        ended += 1


def tried(study: optuna.Study, folder: Path) -> list[Tried]:
    """The trials that have ended, in their order."""
    return [
        Tried(
            number,
            trial.user_attrs["values"],
            trial.state == TrialState.PRUNED,
            trial.user_attrs["auc"],
            trial.user_attrs["log_loss"],
            trial.user_attrs["seconds"],
            _risks_file(folder, trial.number),
        )
        for number, trial in enumerate(study.get_trials(deepcopy=False, states=FINISHED))
    ]


def decide(task: Task, trials: Sequence[Tried], bootstrap: int, level: float, seed: int) -> dict[str, Any]:
    """Whether to change the present parameters, and what for; ready for JSON.

    The best of many trials is partly the luckiest on these accounts. So three things are asked, of resamples of the
    accounts, each with all of its rows, the same for every trial: that the interval of the best one's AUC less the
    present one's lies above zero; that a set chosen anew in each resample is better, in the mean, on the accounts that
    the resample left out; and that the log loss is not higher for sure. What is then recommended is not the best but
    the smallest (fewest leaves in all, then the slower learner and the stronger ridge) that is within one standard
    error of it and passes the same. Trials that were given up, and all but the `FINALISTS` best, are left aside.

    Returns "recommended" ("change" or "keep"), "why", "params" (the values recommended), "present", "best",
    "smallest" (within one standard error of the best) and all "finalists", each with number, values, measures and
    differences to the present, and "left_out": "gain" in AUC there in the mean, and the share of resamples "better".
    """
    first = [trial for trial in trials if trial.number < len(task.first)]
    others = sorted((trial for trial in trials[len(first) :] if not trial.pruned), key=lambda trial: -trial.mean_auc)
    finalists = [*first, *others[: max(1, FINALISTS - len(first))]]
    auc_of, loss_of, left_out = _resampled(task, finalists, bootstrap, seed)
    best = min(range(len(finalists)), key=lambda place: (-auc_of[place, 0], _size(finalists[place].values)))
    gap = auc_of[best] - auc_of
    within = gap[:, 0] <= gap[:, 1:].std(axis=1)
    gain = [interval(auc_of[place] - auc_of[0], level) for place in range(len(finalists))]
    cost = [interval(loss_of[place] - loss_of[0], level) for place in range(len(finalists))]
    sure = np.array([_above_zero(gain[place]) and not _above_zero(cost[place]) for place in range(len(finalists))])
    smallest = min(np.flatnonzero(within), key=lambda place: _size(finalists[place].values))

    def told(place: int) -> dict[str, Any]:
        trial = finalists[place]
        return {
            "number": trial.number,
            "values": dict(trial.values),
            "auc": {**dict(sorted(trial.auc.items())), "mean": float(auc_of[place, 0])},
            "log_loss": {**dict(sorted(trial.log_loss.items())), "mean": float(loss_of[place, 0])},
            "against_present": {"auc": gain[place], "log_loss": cost[place]},
        }

    # per resample: the set that is best in it, less the present one, on the accounts that it left out
    chosen = np.argmax(auc_of[:, 1:], axis=0)
    outside = left_out[chosen, np.arange(len(chosen))] - left_out[0]
    held = {"gain": float(outside.mean()), "better": float((outside > 0).mean())} if len(outside) else None
    place, words = 0, _objection(best, gain[best], held)
    if words is None and not (within & sure).any():
        words = "What ranks better gives worse probabilities: its log loss is higher for sure"
    if words is None:
        place = int(min(np.flatnonzero(within & sure), key=lambda place: _size(finalists[place].values)))
        words = "Ranks better than the present parameters, beyond what resampled accounts explain"
    return {
        "recommended": BETTER if place else KEEP,
        "why": words,
        "params": dict(finalists[place].values),
        "present": told(0),
        "best": told(best),
        "smallest": told(int(smallest)),
        "finalists": [told(place) for place in range(len(finalists))],
        "left_out": held,
    }


def _objection(best: int, gain: Mapping[str, float | None], held: Mapping[str, float] | None) -> str | None:
    """Why the best one's rank is no reason to change; None if it is one."""
    if best == 0:
        return "Nothing better than the present parameters was found"
    if not _above_zero(gain):
        return "The difference between the best found and the present parameters cannot be seen on these accounts"
    if held is None or held["gain"] <= 0:
        return "Chosen on some of the accounts, parameters are no better on the others: the best was lucky"
    return None


def _try(task: Task, trial: optuna.Trial, values: Values, folder: Path, never_pruned: bool) -> bool:
    """Measure one set of values, from the latest cut-off back; whether it was given up on the way."""
    started = perf_counter()
    measures: dict[str, dict[str, float]] = {"auc": {}, "log_loss": {}}
    risks: dict[date, FloatArray] = {}
    pruned = False
    for step, cutoff in enumerate(reversed(task.cutoffs)):
        risks[cutoff] = task.predict(values, cutoff)
        counts = tally(task.rows.loc[task.rows["as_of"] == cutoff, "label"], risks[cutoff])
        measures["auc"][str(cutoff)] = float(auc(counts)[0])
        measures["log_loss"][str(cutoff)] = float(log_loss(counts)[0])
        trial.report(float(np.mean(list(measures["auc"].values()))), step)
        if not never_pruned and step + 1 < len(task.cutoffs) and trial.should_prune():
            pruned = True
            break
    if not pruned:
        _keep(np.concatenate([risks[cutoff] for cutoff in task.cutoffs]), _risks_file(folder, trial.number))
    for name, value in {"values": values, **measures, "seconds": perf_counter() - started}.items():
        trial.set_user_attr(name, value)
    return pruned


def _mean_auc(trial: optuna.Trial) -> float:
    return float(np.mean(list(trial.user_attrs["auc"].values())))


def _resampled(
    task: Task, trials: Sequence[Tried], bootstrap: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean over the cut-offs, at the point and under each resample of the accounts: AUC and log loss, (trials, 1 +
    bootstrap); and AUC on the accounts that each resample left out, (trials, bootstrap)."""
    account, accounts = pd.factorize(task.rows["account_id"])
    label = task.rows["label"].to_numpy(float)
    held = [np.flatnonzero((task.rows["as_of"] == cutoff).to_numpy()) for cutoff in task.cutoffs]
    risks = [_risks(task, trial) for trial in trials]
    found: list[list[list[FloatArray]]] = [[[], [], []] for _ in trials]
    for block, times in enumerate(multiplicities(len(accounts), bootstrap, seed)):
        for measured, risk in zip(found, risks, strict=True):
            counted = [tally(label[rows], risk[rows], times[:, account[rows]]) for rows in held]
            measured[0].append(np.mean([auc(counts) for counts in counted], axis=0))
            measured[1].append(np.mean([log_loss(counts) for counts in counted], axis=0))
            if block:  # the first is the point value: every account once, none left out
                outside = [tally(label[rows], risk[rows], times[:, account[rows]] == 0) for rows in held]
                measured[2].append(np.mean([auc(counts) for counts in outside], axis=0))
    stacked = (np.stack([np.concatenate(measured[which]) for measured in found]) for which in range(3))
    auc_of, loss_of, left_out = stacked
    # a resample in which, or without which, nobody or everybody was lost has no AUC, whatever was predicted
    known = ~np.isnan(auc_of[0, 1:]) & ~np.isnan(left_out[0])
    resamples = np.concatenate([[True], known])
    return auc_of[:, resamples], loss_of[:, resamples], left_out[:, known]


def _risks(task: Task, trial: Tried) -> FloatArray:
    """What the trial predicted, as it was kept; fitted again if the file is gone."""
    if not trial.file.exists():
        _keep(np.concatenate([task.predict(trial.values, cutoff) for cutoff in task.cutoffs]), trial.file)
    return pd.read_parquet(trial.file)["risk"].to_numpy(float)


def _keep(risk: FloatArray, path: Path) -> None:
    with written_file(path) as temporary:
        pd.DataFrame({"risk": risk}).to_parquet(temporary, index=False)


def _risks_file(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.parquet"


def _size(values: Values) -> tuple[float, ...]:
    """What makes a model smaller and more regularised: fewer leaves in all, slower learning, a stronger ridge."""
    return (
        values.get("rounds", 1) * values.get("leaves", 1),
        values.get("learning_rate", 0),
        -values.get("l2", 0),
        -values.get("min_leaf", 0),
    )


def _above_zero(cell: Mapping[str, float | None]) -> bool:
    return cell["low"] is not None and cell["low"] > 0
