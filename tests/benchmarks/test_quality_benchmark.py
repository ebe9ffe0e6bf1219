"""The comparison with rivals: their environment, their cache, which cut-offs, aligned answers, the page. No rival is installed."""

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tqdm import tqdm

from benchmarks import quality, quality_runs, quality_time
from benchmarks.quality_page import Page
from benchmarks.quality_runs import AUTOGLUON, REFITTED, RFM, Place, Prepared, Result, Rival
from features.errors import ConfigurationError, ContractError, HoldfastError
from features.matrix import KEYS
from features.periods import Duration, rolling_cutoffs
from pipeline.frames import label_of
from pipeline.params import load

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "online_retail_ii"
CUTOFFS = rolling_cutoffs(date(2010, 6, 10), date(2011, 9, 10), Duration(1, "month"))
TESTS = (date(2011, 7, 10), date(2011, 8, 10), date(2011, 9, 10))

FAKE = """
import json, os, sys
import pandas as pd

job = json.load(open(sys.argv[1]))
with open(os.environ["FAKE_RUNS"], "a") as runs:
    runs.write(job["kind"] + "\\n")
if job["settings"].get("fails"):
    sys.exit("no such preset")
train, test = pd.read_parquet(job["train"]), pd.read_parquet(job["test"])
assert "label" not in test, "a test label reached a rival"
assert train["as_of"].max() < test["as_of"].min(), "a rival learns from what it is tested on"
answer = test[["account_id", "as_of"]].assign(risk=1 / (1 + test["recency"]))[::-1]
if job["kind"] == "autogluon":
    answer["refitted"] = answer["risk"] / 2
answer.to_parquet(job["out"])
told = {"seconds": 2.0, "processor_seconds": 3.0, "versions": {job["kind"]: "1.0"}}
if job["kind"] == "autogluon":
    told["refit_processor_seconds"] = 1.0
json.dump(told, open(job["out"].replace(".parquet", ".json"), "w"))
"""


@pytest.fixture(scope="module")
def params():
    return load(ROOT, SOURCE)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        [(f"A{account}", cutoff) for cutoff in CUTOFFS for account in range(40)], columns=["account_id", "as_of"]
    )
    rows["label"] = (rng.random(len(rows)) < 0.4).astype(float)
    rows["lapsed"] = rng.random(len(rows)) < 0.2
    for name in (*RFM, "price"):
        rows[name] = rng.integers(1, 100, len(rows)).astype(float)
    return rows


@pytest.fixture
def place(tmp_path, monkeypatch):
    script = tmp_path / "fake_rival.py"
    script.write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr(quality_runs, "SCRIPT", script)
    monkeypatch.setenv("FAKE_RUNS", str(tmp_path / "runs.txt"))
    return Place(tmp_path, Path(sys.executable), cpus=1)


def runs(place: Place) -> int:
    path = place.root / "runs.txt"
    return len(path.read_text(encoding="utf-8").split()) if path.exists() else 0


def prepared_of(matrix: pd.DataFrame, params, cutoffs=TESTS[-1:]) -> Prepared:
    return Prepared(SOURCE, params, matrix, Path("orders.parquet"), tuple(cutoffs), 1.0)


def run(place: Place, prepared: Prepared, chosen: dict[str, Rival]) -> Result:
    return quality_runs.run_rivals(place, prepared, chosen, tqdm(disable=True))


def test_without_the_rivals_environment_the_next_step_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\.venv-quality/bin/python is missing.*Run `make quality`"):
        quality_runs.interpreter(tmp_path)
    assert quality_runs.interpreter(tmp_path, Path(sys.executable)) == Path(sys.executable)


def test_the_command_says_so_too(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert quality.main(["--rivals-only", "--python", str(tmp_path / "python")]) == ConfigurationError.exit_code
    assert "Run `make quality`" in capsys.readouterr().err


def test_an_unknown_rival_is_refused(tmp_path):
    given = quality.arguments().parse_args(["--rivals", "gut_feeling", "--python", sys.executable])
    with pytest.raises(
        ConfigurationError, match=r"'gut_feeling' is not known\. There are: catboost, autogluon_holdfast"
    ):
        quality.run(given, tmp_path)


def test_development_reads_no_label_that_a_test_cutoff_could_see(matrix, params):
    assert quality_runs.chosen_cutoffs(matrix, params, 2, False) == list(TESTS[-2:])
    chosen = quality_runs.chosen_cutoffs(matrix, params, 3, True)
    assert chosen == [date(2011, 1, 10), date(2011, 2, 10), date(2011, 3, 10)]  # its 90 days end on 8 June
    assert all(label_of(params.featurize).matures(cutoff) < TESTS[0] for cutoff in chosen)


def test_development_keeps_nothing_later_of_the_matrix(matrix, params, monkeypatch, tmp_path):
    monkeypatch.setattr(quality_runs, "ingest", lambda *given: None)
    monkeypatch.setattr(quality_runs.featurize, "run", lambda *given: None)
    monkeypatch.setattr(quality_runs, "read_matrix", lambda folder: matrix)
    prepared = quality_runs.prepare(ROOT, tmp_path, SOURCE, tmp_path, 3, True)
    assert prepared.matrix["as_of"].max() == prepared.cutoffs[-1] == date(2011, 3, 10)


def test_nothing_to_learn_from_is_told(matrix, params):
    late = matrix[matrix["as_of"] >= date(2011, 6, 10)]
    with pytest.raises(ConfigurationError, match="no development cut-off with a matured label before it"):
        quality_runs.chosen_cutoffs(late, params, 3, True)


@pytest.mark.parametrize("stacked", [True, False])
def test_a_rival_learns_from_what_had_matured(matrix, params, stacked):
    train, test = quality_runs.frames_of(matrix, ["price"], TESTS[0], params.featurize, stacked)
    assert set(test["as_of"]) == {TESTS[0]}
    assert list(test) == ["account_id", "as_of", "price"]
    days = sorted(set(train["as_of"]))
    assert all(label_of(params.featurize).matures(day) <= TESTS[0] for day in days)
    assert days[-1] == date(2011, 4, 10)
    assert len(days) == (11 if stacked else 1)
    parts = {part: list(rows["as_of"].unique()) for part, rows in train.groupby("part")}
    if stacked:
        assert list(map(len, (parts["train"], parts["gap"], parts["tuning"]))) == [6, 2, 3]
        assert label_of(params.featurize).matures(parts["train"][-1]) <= parts["tuning"][0]
    else:
        assert list(parts) == ["train"]


def test_the_cache_answers_until_what_a_rival_reads_changes(place, matrix, params):
    rivals = {"own": Rival("Own", "autogluon", "holdfast", True, AUTOGLUON)}
    first = run(place, prepared_of(matrix, params), rivals)
    assert runs(place) == 1
    again = run(place, prepared_of(matrix, params), rivals)
    assert runs(place) == 1
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    with_other_key = matrix.assign(lapsed=~matrix["lapsed"])  # of Holdfast's, read by no rival
    run(place, prepared_of(with_other_key, params), rivals)
    assert runs(place) == 1
    run(place, prepared_of(matrix.assign(price=matrix["price"] + 1), params), rivals)
    assert runs(place) == 2
    run(place, prepared_of(matrix, params), {"own": Rival("Own", "autogluon", "holdfast", True, {"preset": "best"})})
    assert runs(place) == 3


def test_answers_are_put_in_the_order_of_the_accounts(place, matrix, params):
    rivals = {
        "cat": Rival("Cat", "catboost", "rfm", False),
        "auto": Rival("Auto", "autogluon", "holdfast", True, AUTOGLUON),
    }
    result = run(place, prepared_of(matrix, params, TESTS[-2:]), rivals)
    expected = matrix[matrix["as_of"].isin(TESTS[-2:])].reset_index(drop=True)
    assert list(result.predictions["account_id"]) == list(expected["account_id"])
    np.testing.assert_allclose(result.predictions["cat"], 1 / (1 + expected["recency"]))
    np.testing.assert_allclose(result.predictions["auto" + REFITTED], result.predictions["auto"] / 2)
    assert result.seconds == {"cat": 4.0, "auto": 3.0, "auto" + REFITTED: 4.0}
    assert result.versions == {"catboost": "1.0", "autogluon": "1.0"}


@pytest.mark.parametrize("change", ["missing", "other", "twice"])
def test_answers_for_other_accounts_are_refused(change, matrix):
    test = matrix[matrix["as_of"] == TESTS[0]][["account_id", "as_of"]]
    answer = test.assign(risk=0.5).reset_index(drop=True)
    if change == "missing":
        answer = answer.iloc[1:]
    elif change == "other":
        answer.loc[0, "account_id"] = "stranger"
    else:
        answer = pd.concat([answer, answer.iloc[:1]])
    with pytest.raises(ContractError, match=r"The rival x answered .* rows for 40 accounts asked for"):
        quality_runs.aligned(answer, test, "x")


def test_a_rival_that_fails_is_told_with_its_last_words(place, matrix, params):
    with pytest.raises(HoldfastError, match=r"(?s)-bad failed:\nno such preset\n.*--rivals"):
        run(place, prepared_of(matrix, params), {"bad": Rival("Bad", "catboost", "rfm", False, {"fails": True})})
    assert not list(place.cache.glob("*.parquet"))


def results_of(matrix: pd.DataFrame) -> list[Result]:
    rng = np.random.default_rng(2)
    rows = matrix[matrix["as_of"].isin(TESTS)].reset_index(drop=True)
    own = rows[list(KEYS[:4])].assign(value=1.0)
    own["risk"] = (0.5 * rows["label"] + 0.5 * rng.random(len(rows))).clip(0.01, 0.99)
    own["bg_nbd"] = rng.random(len(rows))
    other = rows[["account_id", "as_of"]].assign(
        catboost=own["risk"] * 0.999, autogluon_rfm=rng.random(len(rows)), autogluon_rfm_refitted=rng.random(len(rows))
    )
    seconds = {"catboost": 20.0, "autogluon_rfm": 70.0}
    return [
        quality_runs.joined(
            Result(SOURCE, own, {"risk": 5.0}, {}), Result(SOURCE, other[::-1], seconds, {"catboost": "1.2"})
        )
    ]


def test_the_page_pairs_each_rival_with_ours(matrix, params, tmp_path):
    titles = {name: rival.title for name, rival in quality_runs.rivals(False).items()}
    steps = {
        name: {"wall": 2.0, "processor": 3.0} for name in ("ingest", "featurize", "train", "evaluate", "autogluon")
    }
    clock = {
        **steps,
        **{"source": SOURCE, "load_before": 0.1, "load_after": 1.0, "rows": 440, "ratio": {"wall": 0.5, "processor": 0.5}},
    }  # fmt: skip
    page = Page(results_of(matrix), titles, params.evaluate, clock, ["--cutoffs", "3", "--data", "elsewhere"])
    text = page.text()
    assert "```sh\npython -m benchmarks.quality --cutoffs 3\n```\n" in text
    assert "Cut-offs 2011-07-10, 2011-08-10, 2011-09-10: 120 rows" in text
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert {"**Holdfast**", "CatBoost, our features", "AutoGluon, RFM, refitted", "BG/NBD"} <= set(lines)
    assert "+0.0000 (+0.0000 to +0.0000)" in lines["CatBoost, our features"]  # the same ranking
    assert lines["CatBoost, our features"].endswith("| 20 |")
    paired = page.found[SOURCE]["paired"]["all"]["autogluon_rfm"]["mean"]["auc"]
    assert f"{paired['value']:+.4f} ({paired['low']:+.4f} to {paired['high']:+.4f})" in lines["AutoGluon, RFM"]
    assert paired["low"] > 0.2
    assert "0.5 times as long as Holdfast's training with evaluation" in text
    assert "nan" not in text
    page.write(tmp_path)
    assert (tmp_path / "quality.png").stat().st_size > 5_000


def test_the_key_names_settings_columns_and_values():
    frame = pd.DataFrame({"account_id": ["a", "b"], "x": [1.0, 2.0]})
    key = quality_runs.key_of({"preset": "medium"}, frame)
    assert key == quality_runs.key_of({"preset": "medium"}, frame.copy())
    others = [
        quality_runs.key_of({"preset": "best"}, frame),
        quality_runs.key_of({"preset": "medium"}, frame.rename(columns={"x": "y"})),
        quality_runs.key_of({"preset": "medium"}, frame[::-1]),
        quality_runs.key_of({"preset": "medium"}, frame.assign(x=[1.0, 2.5])),
    ]
    assert len({key, *others}) == 5


def test_orders_go_to_featuretools_one_row_an_order(tmp_path):
    lines = pd.DataFrame(
        {
            "order_id": ["1", "1", "2", "3"],
            "account_id": ["a", "a", "a", "b"],
            "ordered_at": pd.to_datetime(["2024-01-02", "2024-01-02", "2024-01-01", "2024-01-03"]),
            "product_id": ["p", "q", "p", "p"],
            "quantity": [1, 2, 3, 4],
            "amount": [1.0, 2.0, -3.0, 4.0],
            "is_return": [False, False, True, False],
        }
    )
    lines.to_parquet(tmp_path / "orders.parquet")
    table = quality_runs.invoices(tmp_path / "orders.parquet", {"a"})
    assert json.loads(table.drop(columns="ordered_at").to_json(orient="records")) == [
        {"order": 0, "account_id": "a", "amount": -3.0, "quantity": 3.0, "lines": 1.0, "is_return": 1.0},
        {"order": 1, "account_id": "a", "amount": 3.0, "quantity": 3.0, "lines": 2.0, "is_return": 0.0},
    ]


def test_wall_time_runs_the_stages_in_a_copy_and_autogluon_after_them(place, matrix, params, monkeypatch):
    ran, projects = [], []
    monkeypatch.setattr(quality_time, "prepare", lambda *given: prepared_of(matrix, params, [date(2011, 3, 10)]))

    class Done:
        returncode = 0

    def stage(command, cwd, **rest):
        ran.append(command[3])
        projects.append(load(cwd, SOURCE))
        return Done()

    def answer(at, name, kind, settings, frames):
        assert at.time_limit is None
        assert at.cache != place.cache
        assert set(frames["train"]["part"]) == {"train"}
        ran.append(kind)
        return pd.DataFrame(), {"refit_seconds": 0.0, "refit_processor_seconds": 0.0, "trained": ["NeuralNetTorch"]}

    monkeypatch.setattr(quality_time.subprocess, "run", stage)
    monkeypatch.setattr(quality_time, "answer_of", answer)
    monkeypatch.setattr(quality_time, "_ratio", lambda found: {"wall": 3.0, "processor": 2.0})
    at = Place(ROOT, place.python, 5.0, 1)
    found = quality_time.wall_time(at, SOURCE, place.root, 1, True)
    assert ran == ["ingest", "featurize", "train", "evaluate", "autogluon"]
    assert projects[-1].evaluate.cutoffs == [date(2011, 3, 10)]
    assert projects[-1].featurize.last_cutoff == date(2011, 3, 10)
    assert found["ratio"] == {"wall": 3.0, "processor": 2.0}


def test_the_ratio_sets_one_fit_against_training_with_evaluation():
    clock = lambda seconds: {"wall": seconds, "processor": 2 * seconds}  # noqa: E731
    found = {"train": clock(4.0), "evaluate": clock(6.0), "autogluon": clock(30.0)}
    assert quality_time._ratio(found) == {"wall": 3.0, "processor": 3.0}
