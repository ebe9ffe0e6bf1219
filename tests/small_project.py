"""Projects with a small market that has gone through every stage, for what runs in one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.commands import holdfast

ROOT = Path(__file__).parents[1]
STAGES = ("featurize", "train", "evaluate", "score", "explain", "decide", "report")


def environment(project: Path) -> dict[str, str]:
    """Of a command in the project: this checkout's code, the environment that runs the tests as `.venv`."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), "USER": "ann", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return found | {"PATH": f"{project / '.venv' / 'bin'}{os.pathsep}{found['PATH']}"}


def project_at(folder: Path) -> Path:
    """The sources and parameters of a small market; nothing has run."""
    folder.mkdir()
    shutil.copytree(ROOT / "sources", folder / "sources")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["simulate"] |= {"accounts": 400, "periods": 30}
    params["train"] |= {"rounds": 60, "min_leaf": 40}
    params["evaluate"] |= {"bootstrap": 40, "tests": 2, "gate_auc_gain": -0.5, "gate_ece": 0.5}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def through(project: Path, source: str, environment: Mapping[str, str] | None = None) -> None:
    """Every stage of a project, from the simulated market on."""
    for arguments in (
        ["simulate", "--out", f"data/{source}/raw"],
        ["ingest", "--source", source, "--data", f"data/{source}/raw"],
        *([stage, "--source", source] for stage in STAGES),
    ):
        done = holdfast(project, *arguments, env=environment)
        if done.returncode or "Traceback" in done.stderr:
            raise RuntimeError(f"holdfast {' '.join(arguments)}: {done.stderr}")


def prepare(project: Path) -> Path:
    """Make the project: the market as source `contract`, and the same one as `simulated`, with its truth beside it."""
    project_at(project)
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    for name in ("reasons.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, project / name)
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    params["simulate"] |= {"start": "2022-01-01"}  # up to 30 June 2024
    params["tune"] |= {"trials": 2, "tests": 2, "bootstrap": 20}
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (project / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    through(project, "contract", environment(project))
    for folder in ("data", "artifacts"):
        (project / folder / "simulated").symlink_to("contract", target_is_directory=True)
    return project
