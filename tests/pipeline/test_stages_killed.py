"""Stages that are killed while they exchange what they wrote: nothing is there in half, and the next run heals."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from models.causes import CauseModel
from models.risk import RiskModel
from tests.commands import holdfast
from tests.small_project import environment

OLD = b"of another run"
DATA, ARTIFACTS = "data/contract", "artifacts/contract"
EXPLAINED = (
    "explanations.parquet",
    "previous.parquet",
    "similar.parquet",
    "evidence.parquet",
    "reason_mix.csv",
    "plots",
)
STAGES = {  # what each writes, and the step that it is killed before
    "featurize": ([f"{DATA}/matrix"], "rename .matrix.writing"),
    "train": ([f"{ARTIFACTS}/{name}" for name in ("model", "causes", "reasons.json")], "rename .causes.writing"),
    "explain": ([f"{ARTIFACTS}/{name}" for name in EXPLAINED], "replace .similar.parquet.writing"),
    "decide": ([f"{ARTIFACTS}/decisions"], "rename .decisions.writing"),
    "report": ([f"{ARTIFACTS}/report"], "rename .report.writing"),
}


def files(project: Path) -> dict[str, bytes]:
    """The bytes of all that the stages leave, but for locks."""
    found = [path for name in (DATA, ARTIFACTS) for path in (project / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(project)): path.read_bytes() for path in found if path.suffix != ".lock"}


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_in_the_middle_leaves_old_or_new_and_the_next_run_what_an_undisturbed_one_does(
    small_project, tmp_path, stage
):
    project = tmp_path / "project"
    shutil.copytree(small_project, project, symlinks=True)
    expected = files(project)
    written, step = STAGES[stage]
    own = {name for name in expected if any(name == out or name.startswith(f"{out}/") for out in written)}
    assert own
    for name in own:
        (project / name).write_bytes(OLD)
    command = (project, stage, "--source", "contract")
    killed = holdfast(*command, env=environment(project), killed=step)
    assert killed.returncode == -9, killed.stderr
    left = files(project)
    assert all(left[name] == content for name, content in expected.items() if name not in own)
    assert all(left[name] in (OLD, expected[name]) for name in own if name in left)
    assert any(left.get(name) != expected[name] for name in own)
    if stage == "train":  # never one of another training beside the new model of risks
        RiskModel.load(project / ARTIFACTS / "model")
        with pytest.raises(ConfigurationError, match="holds no model of causes"):
            CauseModel.load(project / ARTIFACTS / "causes")
    again = holdfast(*command, env=environment(project))
    assert again.returncode == 0, again.stderr
    assert files(project) == expected
