"""The logged model, loaded as a stranger would load it: by MLflow, without the project."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import venv
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from risk_recipes import META, WHY

from models.risk import Recipe, RiskModel, fit
from models.tracking import REQUIREMENTS, SCORER, log_training

pytestmark = pytest.mark.filterwarnings("ignore:.*type hint")  # hints would change what MLflow checks
NAMES = ["recency", "rebates_overdue", "amount_12"]
DAY = date(2024, 3, 15)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.gamma(2.0, 1.0, (400, 3)), columns=NAMES)
    frame.loc[rng.random(400) < 0.2, "amount_12"] = np.nan
    frame["as_of"] = [date(2024, 3, 10) if number % 2 else date(2024, 6, 1) for number in range(400)]
    frame["horizon"] = rng.integers(1, 7, 400).astype(float)
    frame["label"] = (frame["recency"] + frame["rebates_overdue"] + rng.normal(0, 1, 400) > 4).astype(float)
    return frame


@pytest.fixture(scope="module")
def model(frame) -> RiskModel:
    recipe = Recipe(20, 0.1, 6, 20, 1.0, 1.0, 1.0, 7)
    return fit(frame, NAMES, recipe, META)


@pytest.fixture(scope="module")
def logged(model, tmp_path_factory) -> Path:
    """The folder of the logged model."""
    folder = tmp_path_factory.mktemp("logged")
    model.save(folder / "model")
    mlflow.pyfunc.save_model(
        str(folder / "logged"),
        python_model=str(SCORER),
        artifacts={"model": str(folder / "model")},
        pip_requirements=list(REQUIREMENTS),
    )
    shutil.rmtree(folder / "model")  # it must stand on its own copy
    return folder / "logged"


@pytest.fixture(scope="module")
def loaded(logged):
    return mlflow.pyfunc.load_model(str(logged))


def test_the_loaded_model_gives_the_same_risks(loaded, model, frame):
    np.testing.assert_allclose(
        loaded.predict(frame[[*NAMES, "as_of"]])["risk"], model.predict(frame), rtol=0, atol=1e-12
    )


def test_it_finds_its_features_by_name(loaded, model, frame):
    shuffled = frame[["label", "as_of", *reversed(NAMES)]].assign(account_id="A")
    np.testing.assert_allclose(loaded.predict(shuffled)["risk"], model.predict(frame), rtol=0, atol=1e-12)


def test_whole_numbers_do_as_well(loaded, model, frame):
    whole = frame[NAMES].fillna(0).round().astype(int).assign(as_of=frame["as_of"])
    np.testing.assert_allclose(loaded.predict(whole)["risk"], model.predict(whole), rtol=0, atol=1e-12)


@pytest.mark.parametrize("day", ["2024-03-01", "2025-02-15", "2024-03-20", "2024-06-01", "2024-02-29", "2023-12-31"])
def test_a_day_as_text_has_the_season_of_the_nearest_day(loaded, model, frame, day):
    there = model.predict(frame.assign(as_of=date.fromisoformat(day)))
    np.testing.assert_allclose(loaded.predict(frame[NAMES].assign(as_of=day))["risk"], there, rtol=0, atol=1e-12)


def test_a_day_that_is_none_is_refused(loaded, frame):
    with pytest.raises(mlflow.MlflowException, match=r"^as_of '2024-13-45' is not a date\. Write it as 2024-03-31\.$"):
        loaded.predict(frame[NAMES].assign(as_of="2024-13-45"))


def test_it_imports_only_its_requirements_and_the_standard_library():
    tree = ast.parse(SCORER.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add("." * node.level + (node.module or "").split(".")[0])
    assert imported == {"json", "pathlib", *REQUIREMENTS}


def test_it_is_text_and_no_pickle(logged):
    kept = [path for path in logged.rglob("*") if path.is_file() and path.name != "python_env.yaml"]
    assert {"scorer.py", "model.txt", "model.json", "MLmodel"} <= {path.name for path in kept}
    for path in kept:
        path.read_text(encoding="utf-8")


STRANGER = """
import json, sys
import mlflow
import numpy
import pandas

loaded = mlflow.pyfunc.load_model(sys.argv[1])
example = loaded.metadata.load_input_example(sys.argv[1])
found = {name for name in ("models", "features", "pipeline") if name in sys.modules}
print(json.dumps({"risk": loaded.predict(example)["risk"].tolist(), "project": sorted(found)}))
"""


@pytest.mark.slow
def test_it_scores_where_only_its_requirements_are_installed(registry, model, frame, tmp_path):
    """Installs them from the package index, which takes some minutes."""
    folder = registry / "files" / "model"
    model.save(folder)
    WHY.save(folder.with_name("causes"))
    log_training("mine", model, WHY, folder, folder.with_name("causes"), frame, {}, registry, {})
    (logged,) = [path.parent for path in (registry / "mlruns").rglob("MLmodel")]
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW", "VIRTUAL"))}
    for command in (
        [python, "-I", "-m", "pip", "install", "--quiet", "--requirement", logged / "requirements.txt"],
        [python, "-I", "-c", STRANGER, logged],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["project"] == []
    np.testing.assert_allclose(told["risk"], model.predict(frame.head(5)), rtol=0, atol=1e-12)
