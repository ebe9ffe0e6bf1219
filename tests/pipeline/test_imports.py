"""What the command line must not load before it knows what is asked: `holdfast --help` answers at once."""

from __future__ import annotations

import json
import subprocess
import sys

SLOW = ("pandas", "numpy", "lightgbm", "mlflow", "ibis", "duckdb", "sklearn", "scipy", "pyarrow", "dvc")


def loaded(module: str) -> set[str]:
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_command_line_loads_no_library_before_a_command_is_chosen():
    found = loaded("pipeline.cli")
    assert "typer" in found
    assert found.isdisjoint(SLOW)


def test_building_features_loads_no_library_of_models():
    found = loaded("pipeline.featurize")
    assert "ibis" in found
    assert found.isdisjoint(("lightgbm", "sklearn", "scipy", "mlflow"))
