"""Commands as a user types them, in a process of their own that has the libraries loaded: loading takes five seconds each time.

The server that has them forks for every command; what a command reads, writes, says and exits with is its own.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.pipeline.killed import kill_at

MODULES = "cli simulate ingest featurize labels train evaluate score monitor explain decide report tune"
PRELOADED = (
    *(f"pipeline.{name}" for name in MODULES.split()),
    *("mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store"),
)
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(list(PRELOADED))


def holdfast(
    project: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    killed: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `holdfast ARGUMENTS` in the folder of the project says and exits with; it may be `killed` before a step."""
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        environment = {**os.environ, "USER": "ann"} if env is None else dict(env)
        process = SERVER.Process(target=_run, args=(project, arguments, environment, said, killed))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["holdfast", *arguments], timeout)
        stdout, stderr = (path.read_text(encoding="utf-8") for path in said)
        return subprocess.CompletedProcess(["holdfast", *arguments], process.exitcode, stdout, stderr)


def _run(
    project: Path, arguments: tuple[str, ...], environment: Mapping[str, str], said: list[Path], killed: str | None
) -> None:
    for stream, path in zip((sys.stdout, sys.stderr), said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(project)
    sys.argv = ["holdfast", *arguments]
    if killed is not None:
        kill_at(killed)

    from pipeline.cli import main

    main()
