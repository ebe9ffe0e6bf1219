"""A project with a small market that has gone through every stage, for what runs in one: snippets and notebooks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import yaml

from tests.commands import holdfast

ROOT = Path(__file__).parents[1]
STAGES = ("featurize", "train", "evaluate", "score", "explain", "decide", "report")


def environment(project: Path) -> dict[str, str]:
    """Of a command in the project: this checkout's code, the environment that runs the tests as `.venv`."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), "USER": "ann", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return found | {"PATH": f"{project / '.venv' / 'bin'}{os.pathsep}{found['PATH']}"}


def prepare(project: Path) -> Path:
    """Make the project: the market as source `contract`, and the same one as `simulated`, with its truth beside it."""
    project.mkdir()
    for name in ("sources", "notebooks"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("reasons.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, project / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["simulate"] |= {"accounts": 400, "periods": 30, "start": "2022-01-01"}  # up to 30 June 2024
    params["train"] |= {"rounds": 60, "min_leaf": 40}
    params["evaluate"] |= {"bootstrap": 40, "tests": 2, "gate_auc_gain": -0.5, "gate_ece": 0.5}
    params["tune"] |= {"trials": 2, "tests": 2, "bootstrap": 20}
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (project / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    for arguments in (
        ["simulate", "--out", "data/contract/raw"],
        ["ingest", "--source", "contract", "--data", "data/contract/raw"],
        *([stage, "--source", "contract"] for stage in STAGES),
    ):
        done = holdfast(project, *arguments, env=environment(project))
        if done.returncode:
            raise RuntimeError(f"holdfast {' '.join(arguments)}: {done.stderr}")
    for folder in ("data", "artifacts"):
        (project / folder / "simulated").symlink_to("contract", target_is_directory=True)
    return project
