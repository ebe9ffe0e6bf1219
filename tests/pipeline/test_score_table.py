"""Scores in a real PostgreSQL: all rows of a scoring or none, once however often; no secret is shown."""

from __future__ import annotations

from datetime import date

import pandas as pd
import psycopg
import pytest

from features.errors import ConfigurationError
from pipeline import score
from pipeline.params import load
from pipeline.score import Request
from pipeline.score_table import Target

LINEAGE = {
    "as_of": "2024-03-31", "model_hash": "abc", "data_hash": "d", "model_version": None, "code_version": "1",
    "taxonomy_version": 2,
}  # fmt: skip
SCORES = pd.DataFrame(
    {
        "account_id": ["A", "O'Neill\t\\N"],
        "as_of": [date(2024, 3, 31)] * 2,
        "lapsed": [False, True],
        "risk": [0.25, None],
        "rank": [1, 2],
        "reason_1": [None, "rival"],
    }
)


@pytest.fixture
def address(postgres):
    return postgres.url()


@pytest.fixture
def target(address, monkeypatch, request):
    monkeypatch.setenv("HOLDFAST_SCORES_URL", address)
    return Target.of(request.node.name.replace("[", "_").replace("]", "")[:60])


def rows(address, target, columns="*"):
    with psycopg.connect(address) as connection:
        return connection.execute(f'SELECT {columns} FROM "{target.name[-1]}" ORDER BY account_id').fetchall()


def test_the_rows_are_those_of_the_frame(address, target):
    target.write(SCORES, LINEAGE)
    assert rows(address, target) == [
        ("A", date(2024, 3, 31), False, 0.25, 1, None, "abc", "d", None, "1", "2"),
        ("O'Neill\t\\N", date(2024, 3, 31), True, None, 2, "rival", "abc", "d", None, "1", "2"),
    ]


def test_a_scoring_is_there_once_and_others_stay(address, target):
    target.write(SCORES, LINEAGE)
    target.write(SCORES.assign(risk=0.5), LINEAGE)
    target.write(SCORES.head(1), {**LINEAGE, "model_hash": "other"})
    target.write(SCORES.head(1).assign(as_of=date(2024, 4, 30)), {**LINEAGE, "as_of": "2024-04-30"})
    assert sorted(rows(address, target, "as_of, model_hash, risk")) == [
        (date(2024, 3, 31), "abc", 0.5),
        (date(2024, 3, 31), "abc", 0.5),
        (date(2024, 3, 31), "other", 0.25),
        (date(2024, 4, 30), "abc", 0.25),
    ]


def test_what_fails_on_the_way_changes_nothing(address, target):
    target.write(SCORES, LINEAGE)
    before = rows(address, target)
    with psycopg.connect(address) as connection:
        connection.execute(f'ALTER TABLE "{target.name[0]}" ADD CHECK (risk < 0.9)')
    with pytest.raises(
        ConfigurationError, match=r"did not take the scores, and nothing was changed there: .*violates check"
    ):
        target.write(SCORES.assign(risk=[0.5, 0.95]), LINEAGE)
    assert rows(address, target) == before


def test_a_table_of_other_columns_is_refused_with_the_column(address, target):
    target.write(SCORES.drop(columns="reason_1"), LINEAGE)
    with pytest.raises(ConfigurationError, match=r'column "reason_1" .*does not exist'):
        target.write(SCORES, LINEAGE)
    assert len(rows(address, target)) == 2


@pytest.mark.parametrize("table", ["", "a b", 'x"; drop table y', "a.b.c", "1st", "a."])
def test_what_is_no_name_is_refused(monkeypatch, table):
    monkeypatch.setenv("HOLDFAST_SCORES_URL", "postgresql://localhost")
    with pytest.raises(ConfigurationError, match=r"is no name of a table\. Write it as scores or schema\.scores"):
        Target.of(table)


def test_without_an_address_it_says_where_to_put_it(monkeypatch):
    monkeypatch.delenv("HOLDFAST_SCORES_URL", raising=False)
    with pytest.raises(
        ConfigurationError,
        match=r"^--to-table takes .* variable HOLDFAST_SCORES_URL, .*\n  export HOLDFAST_SCORES_URL='postg",
    ):
        Target.of("scores")


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://scores:wr0ng-word@127.0.0.1:{port}/postgres",
        "postgresql://scores:wr0ng-word@127.0.0.1:1/postgres",
        "postgresql://scores:wr0ng-word@127.0.0.1:{port}/wr0ng-word",
        "postgresql://scores:wr0ng-word@[127.0.0.1/postgres",
    ],
)
def test_no_secret_is_shown_of_an_address_that_does_not_work(postgres, monkeypatch, wrong):
    monkeypatch.setenv("HOLDFAST_SCORES_URL", wrong.format(port=postgres.port))
    target = Target.of("scores")
    with pytest.raises(ConfigurationError, match="HOLDFAST_SCORES_URL did not take the scores") as raised:
        target.write(SCORES, LINEAGE)
    assert "wr0ng-word" not in str(raised.value) + repr(target)
    assert postgres.password not in str(raised.value)


def test_an_address_that_is_no_url_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("HOLDFAST_SCORES_URL", "host=127.0.0.1 user=scores password=wr0ng-word")
    with pytest.raises(ConfigurationError, match="variable HOLDFAST_SCORES_URL holds is not a URL such as") as raised:
        Target.of("scores")
    assert "wr0ng-word" not in str(raised.value)


def test_the_job_writes_the_table_also_where_the_files_are_there_already(project, address, target):
    params = load(project.root, project.source)
    score.run(project, params, Request())
    for _ in range(2):
        said = score.run(project, params, Request(table=target.name[0]))
        assert said["status"] == "already scored"
    kept = pd.read_parquet(project.scores)
    found = rows(address, target, "account_id, risk, model_hash")
    assert [(name, risk) for name, risk, _ in found] == list(
        kept.sort_values("account_id")[["account_id", "risk"]].itertuples(index=False, name=None)
    )
    assert {row[2] for row in found} == {said["lineage"]["model_hash"]}
