"""A file between the stages that is missing or damaged: one message with the command that makes it again, nothing changed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigurationError, ContractError
from models.lineage import read_lineage
from pipeline import decide, evaluate, explain, featurize, monitor, report, run, score, train
from pipeline.artifacts import read_frame, read_json
from pipeline.frames import read_matrix, write_frame
from pipeline.layout import Layout
from pipeline.params import Params, load

STAGES: dict[str, Callable[[Layout, Params], object]] = {
    "featurize": lambda layout, params: featurize.run(layout, params.featurize),
    "train": lambda layout, params: train.run(layout, params.featurize, params.train, params.reasons),
    "evaluate": lambda layout, params: evaluate.run(
        layout, params.featurize, params.train, params.evaluate, params.money, params.score, params.explain
    ),
    "score": lambda layout, params: score.run(layout, params, score.Request()),
    "explain": lambda layout, params: explain.run(layout, params),
    "decide": lambda layout, params: decide.run(layout, params),
    "monitor": lambda layout, params: monitor.run(layout, params),
    "report": lambda layout, params: report.run(layout, params),
    "run": lambda layout, params: run.found(layout, "3 months"),
}
TABLE, MATRIX, ART = "data/contract/tables", "data/contract/matrix", "artifacts/contract"
MODEL = (
    f"{ART}/model/model.txt",
    f"{ART}/model/model.json",
    f"{ART}/causes/causes.json",
    f"{ART}/causes/product_0.txt",
)
READ = {  # what each stage reads first, or can be shown to read without a long run: file and who makes it again
    "featurize": {f"{TABLE}/orders.parquet": "ingest", f"{TABLE}/contacts.parquet": "ingest"},
    "train": {f"{MATRIX}/part-00000.parquet": "featurize", f"{MATRIX}/_parts.json": "featurize"},
    "evaluate": {**dict.fromkeys(MODEL, "train"), f"{ART}/reasons.json": "train"},
    "score": {
        **dict.fromkeys(MODEL, "train"),
        f"{TABLE}/orders.parquet": "ingest",
        f"{ART}/history/2024-07-01/scoring.json": "score",
    },
    "explain": {**dict.fromkeys(MODEL, "train"), f"{TABLE}/orders.parquet": "ingest", f"{ART}/scores.parquet": "score"},
    "decide": {f"{ART}/model/model.txt": "train", f"{ART}/scores.parquet": "score"},
    "monitor": {
        f"{ART}/scores.parquet": "score",
        f"{ART}/live.json": "score",
        f"{ART}/model/model.json": "train",
        f"{MATRIX}/part-00000.parquet": "featurize",
    },
    "report": {
        f"{ART}/scores.parquet": "score",
        f"{ART}/live.json": "score",
        f"{ART}/history/2024-07-01/scores.parquet": "score",
        f"{ART}/model/model.txt": "train",
        f"{ART}/metrics.json": "evaluate",
        f"{ART}/predictions.parquet": "evaluate",
        **{f"{ART}/{name}.parquet": "explain" for name in ("explanations", "evidence", "previous", "similar")},
        **{f"{ART}/decisions/{name}.parquet": "decide" for name in report.DECIDED},
        f"{ART}/decisions/decisions.json": "decide",
    },
    "run": {
        f"{ART}/scores.parquet": "score",
        f"{ART}/metrics.json": "evaluate",
        f"{ART}/decisions/worklist.parquet": "decide",
    },
}
OPTIONAL = {  # a file that may be absent: without it less is told, or checked
    ("featurize", f"{TABLE}/contacts.parquet"),
    ("train", f"{MATRIX}/_parts.json"),
    ("score", f"{ART}/history/2024-07-01/scoring.json"),
    ("monitor", f"{ART}/live.json"),
}
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda whole: None,
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "garbage": lambda whole: b"\xff\x00PAR1 is not here" * 20,
}


@pytest.fixture(scope="module")
def copied(small_project, tmp_path_factory) -> Layout:
    root = tmp_path_factory.mktemp("damaged") / "project"
    shutil.copytree(small_project, root, symlinks=True)
    return Layout(root, "contract")


def state(layout: Layout) -> dict[Path, tuple[int, int]]:
    """Size and time of every file, but for locks."""
    files = [path for path in layout.root.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files if ".venv" not in path.parts}


@pytest.mark.parametrize(("stage", "file"), [(stage, file) for stage, files in READ.items() for file in files])
def test_a_damaged_file_is_named_with_the_command_that_makes_it_again(copied, stage, file):
    path, params = copied.root / file, load(copied.root, copied.source)
    whole = path.read_bytes()
    try:
        for kind, damage in DAMAGES.items():
            left = damage(whole)
            if left is not None:
                path.write_bytes(left)
            elif (stage, file) in OPTIONAL:
                continue
            else:
                path.unlink()
            before = state(copied)
            expected = ConfigurationError if kind == "missing" and not file.startswith(MATRIX) else ContractError
            with pytest.raises(expected) as told:
                STAGES[stage](copied, params)
            said = str(told.value)
            assert path.name in said or str(path.parent) in said, (kind, said)
            assert f"holdfast {READ[stage][file]}" in said, (kind, said)
            assert state(copied) == before, kind
    finally:
        path.write_bytes(whole)


def test_a_part_of_the_matrix_that_is_gone_is_missed(copied, tmp_path):
    folder = tmp_path / "data" / "contract" / "matrix"
    shutil.copytree(copied.matrix, folder)
    parts = sorted(folder.glob("part-*.parquet"))
    shutil.copy(parts[0], folder / "part-00001.parquet")
    (folder / "_parts.json").write_text(
        f'{{"part-00000.parquet": {pq.read_metadata(parts[0]).num_rows}, "part-00001.parquet": 7}}'
    )
    with pytest.raises(ContractError, match=r"part-00001\.parquet is damaged: it has \d+ rows instead of 7"):
        read_matrix(folder)
    (folder / "part-00001.parquet").unlink()
    again = r"Run `holdfast featurize --source contract` again"
    with pytest.raises(ContractError, match=rf"part-00001\.parquet is damaged: .* is missing.*{again}"):
        read_matrix(folder)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_one_flipped_bit_of_the_data_is_no_other_number(tmp_path, place):
    path = tmp_path / "artifacts" / "mine" / "scores.parquet"
    frame = pd.DataFrame({"risk": [number / 7 for number in range(2000)]})
    write_frame(frame, path)
    column = pq.read_metadata(path).row_group(0).column(0)
    first = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[first + int(place * column.total_compressed_size)] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ContractError, match=r"scores\.parquet is damaged.*`holdfast score --source mine` again"):
        read_frame(path)


@pytest.mark.parametrize("name", ["model.txt", "model.json"])
def test_a_model_that_says_another_number_is_refused(copied, name):
    """LightGBM would read it and predict something else."""
    path = copied.model / name
    whole = path.read_bytes()
    pattern = rb"leaf_value=(-?\d)" if name == "model.txt" else rb'"horizon_periods": (\d)'
    path.write_bytes(re.sub(pattern, lambda found: found[0][:-1] + b"9", whole, count=1))
    try:
        with pytest.raises(ContractError, match=r"model is damaged: .* do not have the hash \w{16}"):
            STAGES["score"](copied, load(copied.root, copied.source))
    finally:
        path.write_bytes(whole)


def test_a_history_that_is_damaged_is_made_again_by_force(copied, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(copied.root, root, symlinks=True)
    layout = Layout(root, "contract")
    kept = layout.history / "2024-07-01" / "scoring.json"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:100])
    with pytest.raises(ContractError, match=r"`holdfast score --source contract --as-of 2024-07-01 --force` again"):
        STAGES["score"](layout, load(root, "contract"))
    score.run(layout, load(root, "contract"), score.Request(force=True))
    assert {**json.loads(kept.read_bytes()), "lineage": None} == {**json.loads(whole), "lineage": None}
    assert len(read_frame(kept.with_name("features.parquet"))) == len(read_frame(layout.scores))


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("explanations.parquet", "explain"),
        ("decisions/worklist.parquet", "decide"),
        ("decisions/decisions.json", "decide"),
    ],
)
def test_a_report_of_two_scorings_is_refused(copied, file, stage):
    """As it would be where a stage was killed between its files, or left out after a new scoring."""
    path = copied.artifacts / file
    whole, other = path.read_bytes(), {**(read_lineage(path) or {}), "as_of": "2024-06-01"}
    if path.suffix == ".json":
        path.write_text(json.dumps({**read_json(path), "lineage": other}))
    else:
        write_frame(read_frame(path), path, other)
    try:
        with pytest.raises(
            ConfigurationError, match=rf"tells of another scoring .*Run `holdfast {stage} --source contract` again"
        ):
            STAGES["report"](copied, load(copied.root, copied.source))
    finally:
        path.write_bytes(whole)


def test_json_of_another_kind_is_damage(tmp_path):
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(ContractError, match=r"metrics\.json is damaged: it holds no object but list"):
        read_json(tmp_path / "metrics.json")
