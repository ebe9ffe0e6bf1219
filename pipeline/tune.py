"""Stage tune: the risk model's parameters searched at rolling cut-offs before those of the evaluation.

One worked example runs through the comments: horizon three months, cut-offs on the first of each month from 2023-06-01,
test cut-offs from 2024-08-01, so `before` is 2024-08-01.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import yaml
from optuna import Study
from tqdm import tqdm

from features.errors import ConfigurationError
from features.matrix import SILENT
from features.periods import Label
from models.horizons import Horizons, matured
from models.tracking import close_tuning, log_trial, open_tuning
from models.tuning import BETTER, FloatArray, Range, Task, Tried, Values, decide, open_study, search, tried
from models.tuning_plot import importance, plot
from pipeline.evaluate import test_cutoffs
from pipeline.frames import label_of, meta_of, plan_of, read_matrix, write_text
from pipeline.layout import Layout
from pipeline.params import Evaluate, Featurize, Train, Tune, changed
from pipeline.past import Past
from pipeline.train import fit_at, horizons_of

log = logging.getLogger("holdfast")

WHICH = ("present", "best", "smallest")
MEASURES = {"auc": "mean AUC", "log_loss": "mean log loss"}
LEAST = 2  # validation cut-offs; by one alone nothing should be chosen


def run(
    layout: Layout, featurize: Featurize, train: Train, evaluate: Evaluate, params: Tune, fresh: bool = False
) -> str:
    """Write `tuning.json` and `plots/tuning.png`, keep the search in `tuning.db`; returns what was found, in words.

    Raises ConfigurationError if there is no matrix, or too few cut-offs may be seen.
    """
    started = perf_counter()
    keys = read_matrix(layout.matrix, columns=["account_id", "as_of", "label"])
    before = last_day(keys, evaluate, params)
    keys = seen_by(keys, before, horizons_of(featurize))
    cutoffs = validation_cutoffs(keys, before, label_of(featurize), params)
    past = Past.read(layout.matrix, train, sorted(set(keys["as_of"])))
    past = replace(past, rows=seen_by(past.rows, before, horizons_of(featurize)))
    task, stacked = task_of(past, cutoffs, featurize, train, params)
    name = name_of(task, past, featurize, train)
    folder = layout.artifacts / "tuning" / name
    about = {"before": before, "cutoffs": ", ".join(map(str, cutoffs)), "warm": params.warm, "seed": params.seed}
    about |= {f"space.{key}": f"{bounds.low:g} to {bounds.high:g}" for key, bounds in task.space.items()}
    with open_study(layout.artifacts / "tuning.db", name, fresh) as study:
        parent = open_tuning(layout.source, name, about, fresh)
        new = _search(task, study, folder, params, parent, stacked, started)
        trials = tried(study, folder)
        shares = importance(study)
    decided = decide(task, trials, params.bootstrap, params.level, params.seed)
    for item in (decided["present"], decided["best"], decided["smallest"], *decided["finalists"]):
        item["values"] = stacked.written(item["values"])
    found = {
        "study": name,
        "before": str(before),
        "cutoffs": [str(cutoff) for cutoff in cutoffs],
        "interval": {"level": params.level, "resamples": params.bootstrap},
        "trials": {
            "ended": len(trials),
            "pruned": sum(trial.pruned for trial in trials),
            "seconds": sum(trial.seconds for trial in trials),
        },
        **decided,
        "params": stacked.written(decided["params"]),
        "importance": shares,
    }
    write_text(json.dumps(found, indent=1) + "\n", layout.tuning)
    picture = layout.plots / "tuning.png"
    plot(trials, shares, picture)
    measures = {f"{which}.{measure}": found[which][measure]["mean"] for which in WHICH for measure in MEASURES}
    close_tuning(parent, measures, {"recommended": found["recommended"]}, [layout.tuning, picture])
    log.info(
        "tune %s: %s trials, %s of them new, %s given up early; %s rows at %s cut-offs to %s; %s; %.1f s; wrote %s",
        layout.source,
        len(trials),
        new,
        found["trials"]["pruned"],
        f"{len(task.rows):,}",
        len(cutoffs),
        cutoffs[-1],
        found["recommended"],
        perf_counter() - started,
        layout.tuning,
    )
    return in_words(found)


def last_day(matrix: pd.DataFrame, evaluate: Evaluate, params: Tune) -> date:
    """The day after which nothing is known to the search: `before`, else the first test cut-off of the evaluation.

    Raises ConfigurationError if `before` is later than that cut-off: the parameters would be chosen on what they are
    then judged by.
    """
    tests = test_cutoffs(matrix, evaluate)
    if not tests:
        raise ConfigurationError("No label of the matrix has matured. Give more history or a shorter horizon.")
    if params.before is not None and params.before > tests[0]:
        raise ConfigurationError(
            f"tune.before {params.before} is later than {tests[0]}, the first test cut-off of the evaluation: parameters "
            f"would be chosen on what they are then judged by. Give {tests[0]} or earlier, or null."
        )
    return params.before or tests[0]


def seen_by(matrix: pd.DataFrame, before: date, horizons: Horizons) -> pd.DataFrame:
    """The rows of cut-offs whose label has matured at `before`: up to 2024-05-01, which ends on 2024-08-01. Of other
    horizons what had not matured is left out."""
    cutoffs = set(matrix["as_of"])
    told = {cutoff for cutoff in cutoffs if horizons.matures("label", cutoff) <= before}
    seen = matrix[matrix["as_of"].isin(told) & matrix["label"].notna()].reset_index(drop=True)
    for column in (name for name in SILENT if name in seen):
        late = {cutoff for cutoff in told if horizons.matures(column, cutoff) > before}
        seen[column] = seen[column].mask(seen["as_of"].isin(late))
    return seen


def validation_cutoffs(seen: pd.DataFrame, before: date, label: Label, params: Tune) -> list[date]:
    """The cut-offs to validate at: as given, else the last `tests` at which a model can be fitted and measured.

    Raises ConfigurationError if these are fewer than two, or one that was given is not among them.
    """
    known = sorted(set(seen["as_of"]))
    usable = [cutoff for cutoff in known if _usable(seen, cutoff, known, label)]
    if params.cutoffs is None and len(usable) >= LEAST:
        return usable[-params.tests :]
    chosen = sorted(set(params.cutoffs or ()))
    wrong = [cutoff for cutoff in chosen if cutoff not in usable]
    if params.cutoffs is not None and not wrong and len(chosen) >= LEAST:
        return chosen
    there = f"{len(usable)} from {usable[0]} to {usable[-1]}" if usable else "none"
    asked = f"tune.cutoffs: {wrong[0]} is not one of them" if wrong else f"tuning takes at least {LEAST}"
    raise ConfigurationError(
        f"Cut-offs at which a model can be fitted on what had matured, and whose own label has matured by {before}: "
        f"{there} of {len(known)}; {asked}. Give more history, an earlier featurize.first_cutoff, later test cut-offs "
        "(evaluate.cutoffs or fewer evaluate.tests), or a later tune.before."
    )


def _usable(seen: pd.DataFrame, cutoff: date, known: list[date], label: Label) -> bool:
    """Whether accounts were lost and kept, both at the cut-off and among what had matured by then."""
    earlier = [other for other in known if label.matures(other) <= cutoff]
    own = seen.loc[seen["as_of"] == cutoff, "label"]
    return own.nunique() == 2 and seen.loc[seen["as_of"].isin(earlier), "label"].nunique() == 2


class Stacked:
    """Between the number of stacked cut-offs in the search and in `train`: it is searched only up to what there is at
    the last validation cut-off, `most`. To ask for more is the same, so that stays written as it is now."""

    def __init__(self, most: int, present: int) -> None:
        self.most = most
        self.present = present

    def searched(self, name: str, value: float) -> float:
        return min(value, self.most) if name == "cutoffs" else value

    def written(self, values: Values) -> dict[str, Any]:
        all_there_are = values.get("cutoffs") == self.most
        return {**values, "cutoffs": max(self.most, self.present)} if all_there_are else dict(values)


def task_of(
    past: Past, cutoffs: Sequence[date], featurize: Featurize, train: Train, params: Tune
) -> tuple[Task, Stacked]:
    """What is searched, by the rows of `past` that may be seen; `train` as it is now comes first, then what `also` changes
    of it. It learns from the sample, and is judged on all accounts of the validation cut-offs."""
    there = matured(past.cutoffs, cutoffs[-1], label_of(featurize), len(past.cutoffs))
    stacked = Stacked(len(there), train.cutoffs)
    present = {name: getattr(train, name) for name in params.space}
    first, space = [], {}
    for more in ({}, *params.also):
        values = changed(train, more).model_dump()
        first.append({name: stacked.searched(name, values[name]) for name in present})
    for name, ends in params.space.items():
        low, high = (stacked.searched(name, end) for end in ends)
        space[name] = Range(low, high, whole=Train.model_fields[name].annotation is int)
        for values in first:
            space[name] = space[name].holding(values[name])
    rows = {cutoff: past.labelled([cutoff]).reset_index(drop=True) for cutoff in cutoffs}

    def predict(values: Values, cutoff: date) -> FloatArray:
        return fit_at(past.rows, cutoff, featurize, changed(train, stacked.written(values))).predict(rows[cutoff])

    judged = pd.concat([frame[["account_id", "as_of", "label"]] for frame in rows.values()], ignore_index=True)
    return Task(judged, tuple(cutoffs), tuple(first), space, predict, params.warm, params.seed), stacked


def name_of(task: Task, past: Past, featurize: Featurize, train: Train) -> str:
    """Name of the study: another one as soon as anything differs that would make its trials incomparable.

    That is the rows that are seen, cut-offs, space, present parameters and seed; and, for the code and the libraries
    behind them, what the present parameters predict at the first cut-off. New rows that are not seen change nothing.
    """
    digest = hashlib.sha256(pd.util.hash_pandas_object(past.rows, index=False).to_numpy().tobytes())
    for cutoff in task.cutoffs:
        digest.update(pd.util.hash_pandas_object(past.labelled([cutoff]), index=False).to_numpy().tobytes())
    settings = {
        "columns": list(past.rows.columns),
        "cutoffs": [str(cutoff) for cutoff in task.cutoffs],
        "space": {name: [bounds.low, bounds.high] for name, bounds in task.space.items()},
        "first": task.first,
        "train": train.model_dump(),
        "label": meta_of(plan_of(featurize)),
        "search": [task.warm, task.seed],
    }
    digest.update(json.dumps(settings, sort_keys=True).encode())
    digest.update(np.round(task.predict(task.first[0], task.cutoffs[0]), 6).tobytes())
    return digest.hexdigest()[:16]


def in_words(found: Mapping[str, Any]) -> str:
    """What was found, with the lines to paste into `params.yaml` if a change is recommended."""
    items = {which: found[which] for which in WHICH}
    shown = {which: {name: f"{value:g}" for name, value in item["values"].items()} for which, item in items.items()}
    for which, item in items.items():
        for measure, words in MEASURES.items():
            shown[which][words] = f"{item[measure]['mean']:.4f}"
            less = "" if which == "present" else _interval(item["against_present"][measure])
            shown[which][f"{words} less the present"] = less
    table = pd.DataFrame(shown)
    ended, pruned = found["trials"]["ended"], found["trials"]["pruned"]
    lines = [
        f"{ended} trials, {pruned} of them given up early, validated at {', '.join(found['cutoffs'])}. No label that "
        f"matured after {found['before']} was seen.",
        "",
        table.to_string(),
        "",
        f"Differences: low / value / high; the interval holds {found['interval']['level']:.0%} of "
        f"{found['interval']['resamples']} resamples of the accounts. smallest: the fewest leaves in all within one standard error of the best.",
    ]
    if found["best"]["number"]:
        ahead = sum(found["best"]["auc"][cutoff] > found["present"]["auc"][cutoff] for cutoff in found["cutoffs"])
        lines.append(f"The best ranks better than the present at {ahead} of {len(found['cutoffs'])} cut-offs.")
    if found["left_out"] and found["best"]["number"]:
        lines.append(
            f"Chosen anew on resampled accounts, the best differs from the present on the accounts left out by "
            f"{found['left_out']['gain']:+.4f} AUC in the mean; it is better in {found['left_out']['better']:.0%} of them."
        )
    if found["recommended"] == BETTER:
        snippet = yaml.safe_dump({"train": found["params"]}, sort_keys=False)
        return "\n".join([*lines, f"{found['why']}. For params.yaml:", "", snippet])
    return "\n".join([*lines, f"{found['why']}: keep `train` in params.yaml as it is."])


def _interval(cell: Mapping[str, float | None]) -> str:
    return " / ".join("?" if cell[end] is None else f"{cell[end]:+.4f}" for end in ("low", "value", "high"))


def _search(task: Task, study: Study, folder: Path, params: Tune, parent: str, stacked: Stacked, started: float) -> int:
    """Search until the budget is spent or there are enough trials; how many were tried. The present parameters are
    tried in any case."""
    known = tried(study, folder)
    by_count = params.trials is not None
    total = max(0, params.trials - len(known)) if params.trials is not None else params.budget
    best = max((trial.mean_auc for trial in known if not trial.pruned), default=0.0)
    new = 0
    form = None if by_count else "{l_bar}{bar}| {n_fmt} of {total_fmt} s{postfix}"
    with tqdm(total=total, unit="trial", bar_format=form, desc="tune", disable=None) as bar:

        def more(ended: int) -> bool:
            in_time = perf_counter() - started < params.budget
            return not ended or (in_time and (params.trials is None or ended < params.trials))

        def told(trial: Tried) -> None:
            nonlocal best, new
            new += 1
            loss = float(np.mean(list(trial.log_loss.values())))
            measures = {
                "auc": trial.mean_auc,
                "log_loss": loss,
                "cutoffs_seen": len(trial.auc),
                "seconds": trial.seconds,
            }
            log_trial(parent, trial.number, stacked.written(trial.values), measures, {"pruned": str(trial.pruned)})
            best = best if trial.pruned else max(best, trial.mean_auc)
            bar.set_postfix(trials=trial.number + 1, best=f"{best:.4f}", refresh=False)
            bar.update(1 if by_count else min(total, int(perf_counter() - started)) - bar.n)

        search(task, study, folder, more, told)
    return new
