"""How long Holdfast's stages take, and one fit of AutoGluon beside them in the same run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import yaml

from benchmarks.quality_runs import (
    AUTOGLUON,
    SOURCES,
    Place,
    answer_of,
    features_of,
    frames_of,
    prepare,
    processor_seconds,
)
from features.errors import HoldfastError


def wall_time(place: Place, source: str, data: Path, last: int, development: bool) -> dict[str, Any]:
    """Seconds of Holdfast's stages, one after the other as `make run` has them, and then of AutoGluon's preset with all its
    models, no time limit and its own holdout, on the rows and features of the last cut-off. Nothing comes from the cache."""
    found: dict[str, Any] = {"source": source, "load_before": os.getloadavg()[0]}
    with TemporaryDirectory(prefix="holdfast-quality-") as name:
        work = Path(name)
        prepared = prepare(place.root, work / "prepared", source, data, last, development)
        project = work / "project"
        (project / "sources" / source).mkdir(parents=True)
        shutil.copy(place.root / "params.yaml", project)
        for path in (place.root / "sources" / source).iterdir():
            shutil.copy(path, project / "sources" / source)
        if development:
            _overlay(project, source, prepared.cutoffs)
        raw = ["--data", str((data / SOURCES[source]).resolve())]
        for stage, options in {"ingest": raw, "featurize": [], "train": [], "evaluate": []}.items():
            command = [sys.executable, "-m", "pipeline.cli", stage, "--source", source, *options]
            environment = {**os.environ, "PYTHONPATH": str(place.root), "OMP_NUM_THREADS": str(place.cpus)}
            environment.pop("MLFLOW_TRACKING_URI", None)  # what is only timed is nobody's training
            clock = Clock()
            done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise HoldfastError(f"holdfast {stage} --source {source} failed:\n{done.stderr.strip()[-500:]}")
            found[stage] = clock.read()
        features = features_of(prepared.matrix)
        train, test = frames_of(prepared.matrix, features, prepared.cutoffs[-1], prepared.params.featurize, True)
        frames = {"train": train.assign(part="train"), "test": test}
        clock = Clock()
        _, told = answer_of(Place(work, place.python, None, place.cpus), "wall-time", "autogluon", AUTOGLUON, frames)
        refit = {"wall": told["refit_seconds"], "processor": told["refit_processor_seconds"]}
        found["autogluon"] = {name: seconds - refit[name] for name, seconds in clock.read().items()}
    found["ratio"] = _ratio(found)
    return {**found, "rows": len(train), "trained": told["trained"], "load_after": os.getloadavg()[0]}


def _ratio(found: Mapping[str, Any]) -> dict[str, float]:
    """AutoGluon's seconds over those of Holdfast's training with evaluation."""
    return {
        name: found["autogluon"][name] / (found["train"][name] + found["evaluate"][name])
        for name in ("wall", "processor")
    }


class Clock:
    """Wall and processor seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.processor = perf_counter(), processor_seconds()

    def read(self) -> dict[str, float]:
        return {"wall": perf_counter() - self.wall, "processor": processor_seconds() - self.processor}


def _overlay(project: Path, source: str, cutoffs: Sequence[date]) -> None:
    """Make the copy of a project end at the development cut-offs."""
    path = project / "sources" / source / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    content.setdefault("featurize", {})["last_cutoff"] = cutoffs[-1]
    content.setdefault("evaluate", {})["cutoffs"] = list(cutoffs)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
