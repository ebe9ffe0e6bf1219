from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import Cluster, cluster
from tests.small_project import prepare, project_at, through

ROOT = Path(__file__).parents[1]

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real data sets; skips where it is absent, fails there under CI."""
    folder = Path(os.environ.get("HOLDFAST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = (
            f"the real data are not in {folder}; set HOLDFAST_DATA to the folder that holds iowa/ and online_retail_ii/"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of this test run's own."""
    with cluster() as server:
        yield server


@pytest.fixture(scope="session")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose small market, as source `contract`, has gone through every stage. Change a copy of it."""
    return _once(tmp_path_factory, "contract", prepare)


@pytest.fixture(scope="session")
def small_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose source `simulated` has gone through every stage. Change a copy of it."""
    return _once(tmp_path_factory, "market", lambda project: through(project_at(project), "simulated"))


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The project that `make` makes, one for all workers."""
    own = factory.getbasetemp()
    project = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name / "project"
    project.parent.mkdir(exist_ok=True)
    with (project.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made := project.parent / "made").exists():
            make(project)
            made.touch()
    return project
