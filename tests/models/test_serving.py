"""The risk over HTTP: a real process, asked by real requests, and ended as a scheduler ends it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from risk_recipes import WHY

from features.errors import ConfigurationError
from models.serving import serve, served
from models.tracking import log_training

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint")


@dataclass(frozen=True)
class Server:
    """A server that runs, and where it answers."""

    process: subprocess.Popen[str]
    address: str

    def ask(self, rows: pd.DataFrame) -> requests.Response:
        return requests.post(
            f"{self.address}/invocations",
            data='{"dataframe_split": ' + rows.to_json(orient="split", index=False, double_precision=15) + "}",
            headers={"Content-Type": "application/json"},
            timeout=60,
        )


@pytest.fixture(scope="module")
def project(registry, model, matrix) -> Path:
    """A project with a challenger in its registry, and the model's own files."""
    (registry / "sources").mkdir()
    shutil.copy(ROOT / "params.yaml", registry)
    folder = registry / "files" / "model"
    model.save(folder)
    WHY.save(folder.with_name("causes"))
    log_training("simulated", model, WHY, folder, folder.with_name("causes"), matrix, {}, registry, {})
    return registry


@pytest.fixture(scope="module")
def server(project) -> Iterator[Server]:
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--model", "challenger", "--port", "0"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.fullmatch(
                r"serve simulated: challenger answers at (http://127\.0\.0\.1:\d+)/invocations; Ctrl-C ends it\n", said
            )
            assert found, said + process.stderr.read()
            yield Server(process, found.group(1))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def asked(model, matrix) -> pd.DataFrame:
    """Twenty rows as a request writes them, some with values that are missing."""
    rows = matrix.head(20)
    assert rows[model.features].isna().any(axis=None)
    return rows[model.features].assign(as_of=rows["as_of"].astype(str))


def test_it_is_well(server):
    assert requests.get(f"{server.address}/ping", timeout=60).status_code == 200


def test_the_risks_are_those_of_the_model(server, asked, model, matrix):
    answer = server.ask(asked)
    assert answer.status_code == 200, answer.text
    risks = [row["risk"] for row in answer.json()["predictions"]]
    expected = model.predict(matrix.head(20))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(risks, expected, rtol=0, atol=1e-12)


def test_a_column_that_is_missing_is_named(server, asked, model):
    for name in (model.features[0], "as_of"):
        answer = server.ask(asked.drop(columns=name))
        assert answer.status_code == 400
        assert f"Model is missing inputs ['{name}']" in answer.json()["message"]


def test_a_column_of_another_type_is_named(server, asked, model):
    name = model.features[1]
    answer = server.ask(asked.assign(**{name: "many"}))
    assert answer.status_code == 400
    assert f"Failed to convert column {name} to type 'float64'" in answer.json()["message"]


def test_a_day_that_is_none_is_shown(server, asked):
    answer = server.ask(asked.assign(as_of="2024-13-45"))
    assert answer.status_code == 400
    assert "as_of '2024-13-45' is not a date. Write it as 2024-03-31." in answer.json()["message"]
    assert "Traceback" not in answer.text


def test_what_is_no_json_is_refused(server):
    answer = requests.post(
        f"{server.address}/invocations", data="{", headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.status_code == 400
    assert "valid JSON" in answer.json()["message"]


def test_a_port_that_is_taken_is_one_message(server, project):
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(
        ConfigurationError,
        match=rf"^127\.0\.0\.1 port {port} cannot be had: Address already in use\. Choose another with --port, or --host\.$",
    ):
        serve("simulated", "challenger", "127.0.0.1", port, pytest.fail)


def test_sigterm_ends_it_without_an_error(server):
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.address}/ping", timeout=60)


def test_no_model_is_one_message(project):
    with pytest.raises(
        ConfigurationError, match=r"^'9' is neither a folder .* version of holdfast-simulated in MLflow"
    ):
        serve("simulated", "9", "127.0.0.1", 0, pytest.fail)
    with pytest.raises(ConfigurationError, match=r"^'champion' is neither .* holdfast-simulated in MLflow"):
        serve("simulated", "champion", "127.0.0.1", 0, pytest.fail)
    with pytest.raises(ConfigurationError, match=r"sources holds no model: neither MLmodel nor model\.json is there\."):
        serve("simulated", str(project / "sources"), "127.0.0.1", 0, pytest.fail)


def test_a_host_that_is_not_ours_is_one_message(project):
    with pytest.raises(
        ConfigurationError, match=r"^192\.0\.2\.1 port 0 cannot be had: Cannot assign requested address"
    ):
        serve("simulated", "challenger", "192.0.2.1", 0, pytest.fail)
    with pytest.raises(ConfigurationError, match=r"^no\.such\.invalid port 0 cannot be had: "):
        serve("simulated", "challenger", "no.such.invalid", 0, pytest.fail)


def test_the_files_of_a_model_are_served_with_the_same_schema(project, asked, model, matrix):
    with served("simulated", str(project / "files" / "model")) as folder, served("simulated", "1") as registered:
        mine, theirs = (mlflow.pyfunc.load_model(str(one)) for one in (folder, registered))
        assert mine.metadata.signature == theirs.metadata.signature
        np.testing.assert_allclose(mine.predict(asked)["risk"], model.predict(matrix.head(20)), rtol=0, atol=1e-12)
        with served("simulated", str(registered)) as same:
            assert same == registered
    assert not folder.exists()
    assert not registered.exists()


def test_the_schema_is_that_of_the_features(project, model):
    with served("simulated", "challenger") as folder:
        signature = mlflow.models.get_model_info(str(folder)).signature.to_dict()
    inputs = json.loads(signature["inputs"])
    told = {column["name"]: column["type"] for column in inputs}
    assert told == dict.fromkeys(model.features, "double") | {"as_of": "string"}
    assert all(column["required"] for column in inputs)
    assert json.loads(signature["outputs"]) == [{"type": "double", "name": "risk", "required": True}]
