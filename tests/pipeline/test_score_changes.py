"""What changed since a scoring before: who entered, who left, and what is now said of whom."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from features.errors import ConfigurationError
from pipeline import score
from pipeline.layout import Layout
from pipeline.params import load
from pipeline.score import Request
from pipeline.score_changes import before, changed


def scores(day: date, *rows: tuple) -> pd.DataFrame:
    columns = ["account_id", "lapsed", "risk", "naming", "reason_1"]
    frame = pd.DataFrame(rows, columns=columns).assign(as_of=day, rank=range(1, len(rows) + 1))
    return frame.astype({"naming": "str", "reason_1": "str"})


THEN = scores(
    date(2024, 1, 1),
    ("stays", False, 0.50, "named", "rival"),
    ("rises", False, 0.40, "named", "rival"),
    ("just", False, 0.25, None, None),
    ("named", False, 0.30, "none", "unexplained"),
    ("lapses", False, 0.20, None, None),
    ("left", False, 0.10, None, None),
)
NOW = scores(
    date(2024, 2, 1),
    ("lapses", True, 0.90, "named", "rival"),
    ("stays", False, 0.519, "named", "rival"),
    ("rises", False, 0.42, "named", "rival"),
    ("named", False, 0.30, "named", "neglect"),
    ("just", False, 0.25, None, None),
    ("enters", False, 0.05, None, None),
)


def test_only_what_changed_is_told_and_how():
    found = changed(NOW, THEN, 0.0199999)
    assert dict(zip(found["account_id"], found["change"], strict=True)) == {
        "lapses": "risk+lapsed+naming+reason_1",
        "rises": "risk",
        "named": "naming+reason_1",
        "enters": "entered",
        "left": "left",
    }
    assert found["risk_before"].round(2).tolist()[:3] == [0.2, 0.4, 0.3]
    assert pd.isna(found.set_index("account_id").loc["enters", "risk_before"])
    assert list(found.columns) == [*NOW.columns, "change", "risk_before"]
    left = found.set_index("account_id").loc["left"]
    assert (left["as_of"], left["risk_before"]) == (date(2024, 2, 1), 0.1)
    assert left[["lapsed", "risk", "naming", "reason_1", "rank"]].isna().all()


def test_how_far_a_risk_must_move_is_given():
    assert "stays" in set(changed(NOW, THEN, 0.01)["account_id"])
    assert "just" not in set(changed(NOW, THEN, 0.0)["account_id"])


def test_where_nothing_changed_nothing_is_told():
    found = changed(THEN, THEN, 0.0)
    assert len(found) == 0
    assert list(found.columns) == [*THEN.columns, "change", "risk_before"]


def test_a_day_that_is_not_kept_is_refused_with_those_that_are(tmp_path):
    layout = Layout(tmp_path, "mine")
    assert before(layout, None, date(2024, 2, 1)) is None
    with pytest.raises(
        ConfigurationError, match=r"--since 'previous' must be .* There is none yet: score without --since"
    ):
        before(layout, "previous", date(2024, 2, 1))
    for day in ("2024-01-01", "2024-02-01"):
        (layout.history / day).mkdir(parents=True)
        (layout.history / day / "scoring.json").write_text("{}")
    assert before(layout, "previous", date(2024, 2, 1)).as_of == date(2024, 1, 1)
    for since in ("2024-02-01", "2023-01-01", "../x"):
        with pytest.raises(ConfigurationError, match=r"whose scoring is kept in .*\. There are: 2024-01-01\.$"):
            before(layout, since, date(2024, 2, 1))


def test_the_job_writes_what_changed_and_keeps_all(project):
    params = load(project.root, project.source)
    old = score.run(project, params, Request(as_of=date(2022, 12, 1)))
    out = project.root / "changes.csv"
    said = score.run(project, params, Request(out=out, since="previous"))
    told = pd.read_csv(out)
    assert 0 < len(told) == said["counts"]["written"] < said["counts"]["accounts"]
    kept = [pd.read_parquet(project.history / day / "scores.parquet") for day in ("2022-12-01", "2023-01-01")]
    assert len(kept[1]) == said["counts"]["accounts"]
    then, now = (set(frame["account_id"]) for frame in kept)
    assert set(told.loc[told["change"] == "entered", "account_id"]) == now - then
    assert set(told.loc[told["change"] == "left", "account_id"]) == then - now
    moved = told[told["change"].str.contains("risk")]
    assert len(moved)
    assert ((moved["risk"] - moved["risk_before"]).abs() >= params.score.changed).all()
    assert score.run(project, params, Request(out=out, since="2022-12-01"))["status"] == "already scored"
    assert old["as_of"] == "2022-12-01"
    with pytest.raises(
        ConfigurationError, match=r"--since writes only what changed, .* Give another file with --out\."
    ):
        score.run(project, params, Request(since="previous"))
