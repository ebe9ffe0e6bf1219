"""What the command line must not load before it knows what is asked: `holdfast --help` answers at once."""

from __future__ import annotations

import json
import subprocess
import sys

SLOW = ("pandas", "numpy", "lightgbm", "mlflow", "ibis", "duckdb", "sklearn", "scipy", "pyarrow", "dvc")


def test_the_command_line_loads_no_library_before_a_command_is_chosen():
    program = "import json, sys, pipeline.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "typer" in loaded
    assert loaded.isdisjoint(SLOW)
