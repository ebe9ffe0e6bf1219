"""MLflow on a real PostgreSQL and a real store that speaks S3, and what is said of addresses that are wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError

import mlflow
import numpy as np
import pandas as pd
import pytest
from risk_recipes import WHY

from features.errors import ConfigurationError, LimitError
from models.backend import STORE, TRACKING, open_experiment, quiet_mlflow, told
from models.registry import decide, promote, rollback, settle, standing
from models.risk import RiskModel
from models.serving import served
from models.tracking import downloaded_model, log_evaluation, log_training, registered_name, run_of
from tests.postgres import Cluster, _free_port, cluster

pytestmark = pytest.mark.filterwarnings("ignore:.*type hint", "ignore:The ``noload`` loader strategy is deprecated")
SECRET = "loopback-secret-of-the-store"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty folder to run in, with nothing said by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(TRACKING, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv(STORE, raising=False)
    return tmp_path


def refused(match: str) -> str:
    with pytest.raises(ConfigurationError, match=match) as caught, quiet_mlflow() as mlflow:
        open_experiment(mlflow, "holdfast/mine")
    return str(caught.value)


def test_a_database_that_does_not_answer_is_one_message_at_once(place, monkeypatch):
    port = _free_port()
    monkeypatch.setenv(TRACKING, f"postgresql://ann:very%20secret@127.0.0.1:{port}/runs")
    said = refused(
        rf"^MLflow's database postgresql\+psycopg://ann:\*\*\*@127\.0\.0\.1:{port}/runs cannot be reached: .*"
        r"\nCorrect MLFLOW_TRACKING_URI, or start the server\.$"
    )
    assert "refused" in said
    assert "secret" not in said


@pytest.mark.parametrize("address", ["ann:very@secret@127.0.0.1/runs", "ann:s:secret/x"])
def test_an_address_that_cannot_be_read_shows_nothing_of_its_password(place, monkeypatch, address):
    monkeypatch.setenv(TRACKING, f"postgresql://{address}")
    said = refused(
        r"^What the environment variable MLFLOW_TRACKING_URI holds is not the address .* \(@ as %40, / as %2F\)\.$"
    )
    assert "secret" not in said


@pytest.mark.parametrize("store", ["bucket/folder", "/folder", "s3:/bucket", "s3://"])
def test_a_store_that_is_no_address_is_refused(place, monkeypatch, store):
    monkeypatch.setenv(STORE, store)
    refused(
        rf"^HOLDFAST_ARTIFACT_STORE '{store}' is not an address\. Write it as s3://bucket/folder, or file:///folder\.$"
    )


def test_a_store_with_a_password_is_refused_without_showing_it(place, monkeypatch):
    monkeypatch.setenv(STORE, "s3://key:secret@bucket")
    said = refused(r"^HOLDFAST_ARTIFACT_STORE is kept with every run .* Give them as AWS_ACCESS_KEY_ID and AWS_SECRET")
    assert "secret@" not in said


def test_files_go_to_the_store_and_an_experiment_that_has_its_own_says_so(place, monkeypatch):
    monkeypatch.setenv(STORE, f"file://{place}/store/")
    with quiet_mlflow() as mlflow:
        mine = open_experiment(mlflow, "holdfast/mine")
        assert open_experiment(mlflow, "holdfast/mine") == mine
        with mlflow.start_run():
            mlflow.log_text("word", "word.txt")
    (found,) = (place / "store" / "holdfast" / "mine").rglob("word.txt")
    assert found.read_text() == "word"
    monkeypatch.setenv(STORE, "s3://elsewhere")
    refused(
        r"^HOLDFAST_ARTIFACT_STORE asks for s3://elsewhere/holdfast/mine, but the experiment holdfast/mine keeps its files in "
        rf"file://{place}/store/holdfast/mine, which was settled when it was made\."
    )


@pytest.mark.parametrize(
    ("library", "extra"), [("boto3", "s3"), ("psycopg", "postgres")], ids=["a store", "a database"]
)
def test_a_library_that_is_missing_is_named_with_its_extra(place, library, extra):
    with (
        pytest.raises(ConfigurationError, match=rf"^MLflow needs {library} .* pip install 'holdfast\[{extra}\]'$"),
        quiet_mlflow(),
    ):
        raise ModuleNotFoundError(f"No module named {library!r}", name=library)
    with pytest.raises(ModuleNotFoundError, match="No module named 'else'"), quiet_mlflow():
        raise ModuleNotFoundError("No module named 'else'", name="else")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://ann:secret@host:5432/runs?password=secret", "postgresql://ann:***@host:5432/runs"),
        ("https://ann:se/cret@host", "https://ann:***@host"),
        ("https://host/path", "https://host/path"),
        ("sqlite:////home/a:b@c/mlflow.db", "sqlite:////home/a:b@c/mlflow.db"),
    ],
)
def test_addresses_are_shown_without_passwords(uri, shown):
    assert told(uri) == shown


@dataclass(frozen=True)
class Remote:
    """A database, a store, and the folder that the project runs in."""

    database: Cluster
    endpoint: str
    folder: Path


@pytest.fixture(scope="module")
def remote(tmp_path_factory) -> Iterator[Remote]:
    folder = tmp_path_factory.mktemp("remote")
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch, cluster() as database:
        patch.setenv(TRACKING, database.url())
        patch.setenv(STORE, "s3://holdfast/runs")
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "loopback")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.chdir(folder)
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as store:
            try:
                until_it_answers(f"{endpoint}/moto-api/")
                yield Remote(database, endpoint, folder)
            finally:
                store.terminate()


def until_it_answers(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except (URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"nothing answers at {address}")


def objects(remote: Remote) -> dict[str, bytes]:
    """What the store holds, by key."""
    import boto3

    bucket = boto3.resource("s3", endpoint_url=remote.endpoint).Bucket("holdfast")
    return {item.key: item.get()["Body"].read() for item in bucket.objects.all()}


def dump(database: Cluster) -> str:
    """All that the tables of the database hold, as text."""
    import psycopg

    with psycopg.connect(database.url()) as con:
        tables = con.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        rows = (con.execute(f'SELECT t::text FROM "{name}" t').fetchall() for (name,) in tables)
        return "\n".join(str(row) for found in rows for row in found)


def evaluated(passed: bool) -> dict:
    gate = {"passed": passed, "why": "above every baseline" if passed else "below recency", "criteria": []}
    return {"population": {"all": {"risk": {"mean": {"auc": {"value": 0.8}}}}}, "gate": gate}


@pytest.mark.slow
def test_training_evaluation_and_promotion_on_postgresql_and_s3(remote, model, matrix):
    import boto3

    boto3.resource("s3", endpoint_url=remote.endpoint).create_bucket(
        Bucket="holdfast", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    other = replace(model, meta={**model.meta, "horizon": "6 months"})
    predictions = pd.DataFrame({"label": [0.0, 1.0] * 30, "risk": np.linspace(0.01, 0.99, 60)})
    for number, (one, passed) in enumerate(((model, True), (other, False)), start=1):
        folder = remote.folder / str(number) / "model"
        one.save(folder)
        WHY.save(folder.with_name("causes"))
        log_training(
            "mine", one, WHY, folder, folder.with_name("causes"), matrix, {"rounds": 3}, remote.folder, {"steady": 0.1}
        )
        log_evaluation("mine", one, WHY, evaluated(passed), predictions, {"model_card.md": "# Card"})
        found = standing("mine", one, WHY)
        assert found.version == str(number)
        gate = evaluated(passed)["gate"]
        settle("mine", found, gate, decide(found, gate))
    with pytest.raises(LimitError, match=r"^Version 2 of holdfast-mine did not pass the gate: below recency"):
        promote("mine", "2", "ann", None, False, str)
    assert "instead of version 1" in promote("mine", "2", "ann", "trial", True, str)
    assert "Version 1 of holdfast-mine is champion again" in rollback("mine", "ann", "worse", str)

    with downloaded_model("mine", "champion") as folder:
        assert RiskModel.load(folder).content_hash == model.content_hash
    with served("mine", "champion") as folder:
        rows = matrix.head(5)
        loaded = mlflow.pyfunc.load_model(str(folder))
        given = rows[model.features].assign(as_of=rows["as_of"].astype(str))
        np.testing.assert_allclose(loaded.predict(given)["risk"], model.predict(rows), rtol=0, atol=1e-12)
    assert run_of("mine", model, WHY)["metrics"]["all.risk.auc"] == 0.8

    kept = objects(remote)
    assert all(key.startswith("runs/holdfast/mine/") for key in kept)
    assert {"MLmodel", "model.txt", "model_card.md", "calibration.png"} <= {key.rpartition("/")[2] for key in kept}
    assert not (remote.folder / "mlruns").exists()
    assert not (remote.folder / "mlflow.db").exists()
    text = dump(remote.database)
    assert registered_name("mine") in text
    assert "s3://holdfast/runs/holdfast/mine" in text
    everything = text.encode() + b"".join(kept.values())
    for secret in (SECRET, remote.database.password, os.environ[TRACKING]):
        assert secret.encode() not in everything


@pytest.mark.slow
def test_a_wrong_password_or_database_is_told_without_the_password(remote, monkeypatch):
    monkeypatch.setenv(TRACKING, remote.database.url(password="quite wrong/secret"))
    said = refused(
        r"^MLflow's database postgresql\+psycopg://holdfast_admin:\*\*\*@.*password authentication failed for user"
    )
    assert "secret" not in said
    monkeypatch.setenv(TRACKING, remote.database.url(database="nowhere"))
    assert remote.database.password not in refused(r'database "nowhere" does not exist')
