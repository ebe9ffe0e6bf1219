"""Learning from a sample: what is read, that the result does not depend on it, and that a sample of all changes nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from features.errors import ConfigurationError, ContractError
from features.matrix import SILENT
from models.sampling import Sample, lost_in
from pipeline.frames import read_matrix
from pipeline.params import Params, changed, load
from pipeline.past import Past, accounts_in
from pipeline.train import fit_at, fit_causes, with_spread

PARAMS: Params = load(Path(__file__).resolve().parents[2], "simulated")
ALL = changed(PARAMS.train, {"rounds": 60, "learning_rate": 0.1, "min_leaf": 20, "held_out": 2})
TENTH = changed(ALL, {"sample": 0.1})
DAYS = [date(2023 + month // 12, month % 12 + 1, 1) for month in range(16)]
COUNT = 3000


def matrix_of(count: int = COUNT) -> pd.DataFrame:
    """Accounts at sixteen cut-offs, of whom few go; the label of the last three is not known yet."""
    rng = np.random.default_rng(5)
    frames = []
    overdue = rng.random(count) < 0.2
    gone = np.full(count, False)
    for place, day in enumerate(DAYS):
        going = rng.random(count) < expit(-6.5 + 3 * overdue)
        label = np.where(going | gone, 1.0, 0.0) if place < len(DAYS) - 3 else np.full(count, np.nan)
        break_of = rng.choice(3, count, p=[0.8, 0.15, 0.05])  # periods without an order, of who comes back
        short = {name: np.maximum(label, break_of > step) for step, name in enumerate(SILENT[:6])}
        frame = pd.DataFrame(
            {
                "account_id": [f"A{number:05d}" for number in range(count)],
                "as_of": day,
                "label": label,
                "lapsed": gone,
                **short,
                "recency": np.where(gone, 120.0, rng.gamma(2, 20, count)),
                "order_days_12": rng.integers(1, 40, count).astype(float),
                "rebates_overdue": overdue * 2.0,
            }
        )
        frames.append(frame)
        gone = gone | going
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def matrix() -> pd.DataFrame:
    return matrix_of().sort_values(["as_of", "account_id"], ignore_index=True)


@pytest.fixture(scope="module")
def folder(matrix, tmp_path_factory):
    """The matrix in parts of 300 accounts, as `featurize` writes them."""
    folder = tmp_path_factory.mktemp("past") / "matrix"
    folder.mkdir()
    blocks = matrix["account_id"].str[1:].astype(int) // 300
    for number, part in matrix.groupby(blocks):
        part.to_parquet(folder / f"part-{number:05d}.parquet", index=False)
    return folder


def test_a_sample_holds_every_loss_and_a_tenth_of_the_others(matrix, folder):
    past = Past.read(folder, TENTH)
    assert past.rows["label"].sum() == matrix["label"].sum() > 0
    lost = set(matrix.loc[matrix["label"] == 1, "account_id"])
    kept = set(past.rows["account_id"])
    assert lost <= kept
    assert 0.07 < len(kept - lost) / (COUNT - len(lost)) < 0.13
    assert (past.rows.groupby("account_id").size() == len(DAYS)).all()
    assert len(past.rows) < 0.5 * len(matrix)


def test_who_judges_reads_all_accounts_of_a_cut_off(matrix, folder):
    past = Past.read(folder, TENTH)
    pd.testing.assert_frame_equal(past.at(DAYS[-2:]), read_matrix(folder, DAYS[-2:]))
    assert past.at([date(2030, 1, 1)]).empty
    assert past.labelled(DAYS[-4:])["as_of"].unique().tolist() == [DAYS[-4]]
    some = past.at(DAYS[:1], ["account_id", "as_of", "recency"])
    assert list(some) == ["account_id", "as_of", "recency"]
    assert len(some) == COUNT
    assert len(past.of(["A00001", "A00002"])) == 2 * len(DAYS)
    whole = Past(matrix)
    for found, expected in (
        (whole.at(DAYS[:2]), past.at(DAYS[:2])),
        (whole.of(["A00007"]), past.of(["A00007"])),
        (whole.at(DAYS[:1], ["account_id", "as_of", "recency"]), some),
    ):
        pd.testing.assert_frame_equal(found.reset_index(drop=True), expected, check_dtype=False)


def test_features_of_a_row_group_that_is_left_out_are_never_read(matrix, tmp_path):
    """They are spoilt here: whoever reads them fails."""
    folder = tmp_path / "matrix"
    folder.mkdir()
    last = matrix.groupby("account_id")["label"].max()
    names = sorted(last.index[last == 0])
    drawn = Sample(0.1, ALL.seed).drawn(names)
    left_out = [name for name, chosen in zip(names, drawn, strict=True) if not chosen]
    for number, accounts in enumerate((left_out, sorted(set(last.index) - set(left_out)))):
        part = matrix[matrix["account_id"].isin(accounts)]
        part.to_parquet(folder / f"part-{number}.parquet", index=False, compression="zstd")
    spoilt = folder / "part-0.parquet"
    group = pq.ParquetFile(spoilt).metadata.row_group(0)
    content = bytearray(spoilt.read_bytes())
    for column in (group.column(place) for place in range(group.num_columns)):
        if column.path_in_schema in ("recency", "order_days_12"):
            start = column.dictionary_page_offset or column.data_page_offset
            content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    spoilt.write_bytes(bytes(content))
    with pytest.raises(ContractError, match="matrix is damaged"):
        read_matrix(folder)
    assert set(Past.read(folder, TENTH).rows["account_id"]) == set(last.index) - set(left_out)


def test_the_model_is_the_same_from_the_whole_matrix_and_from_what_is_read_for_it(matrix, folder):
    """At an early cut-off too, when fewer were lost than are kept for the last."""
    read = Past.read(folder, TENTH).rows
    for day in (DAYS[9], DAYS[-1]):
        hashes = {fit_at(frame, day, PARAMS.featurize, TENTH).content_hash for frame in (matrix, read)}
        assert len(hashes) == 1


def test_a_later_loss_does_not_change_an_earlier_model(matrix):
    """Who goes later is drawn as anybody is: else the weights would tell a test cut-off who stays."""
    day = DAYS[9]
    later = matrix["as_of"] > DAYS[6]  # of these cut-offs no label had matured at 2023-10-01
    other = matrix.assign(label=matrix["label"].where(~later, 0.0))
    models = [fit_at(frame, day, PARAMS.featurize, TENTH).content_hash for frame in (matrix, other)]
    assert models[0] != fit_at(matrix, DAYS[10], PARAMS.featurize, TENTH).content_hash
    assert len(lost_in(matrix) - lost_in(other)) > 20
    assert models[0] == models[1]


def test_the_level_stays_what_it_is_among_all(matrix, folder):
    """Calibration in the large: losses are several times as frequent in the sample, and the risks are not."""
    past = Past.read(folder, TENTH)
    day = DAYS[12]
    test = past.labelled([day])
    frequent = past.rows.loc[past.rows["as_of"] == day, "label"].mean()
    found = {}
    for name, params in (("all", ALL), ("tenth", TENTH)):
        model = with_spread(past if name == "tenth" else Past(matrix), DAYS[-1], PARAMS.featurize, params)
        found[name] = model.predict(test).mean()
        assert model.meta["spread"] is not None
    assert frequent > 3 * test["label"].mean()
    assert found["tenth"] == pytest.approx(found["all"], rel=0.1)


def test_the_causes_are_weighed_too(matrix, folder):
    """The hazard of the cause that there is stays what it is among all; unweighted it would lie elsewhere."""
    reasons = changed(PARAMS.reasons, {"bags": 2, "min_leaf": 50})
    features = ["recency", "order_days_12", "rebates_overdue"]
    rows = pd.DataFrame({"account_id": ["A"], "rebates_overdue": [2.0]})
    hazard = {}
    for name, frame, params in (
        ("all", matrix, ALL),
        ("tenth", Past.read(folder, TENTH).rows, TENTH),
        ("unweighted", Past.read(folder, TENTH).rows, ALL),
    ):
        why = fit_causes(frame, features, PARAMS.featurize, params, reasons, progress=False)
        hazard[name] = float(why.hazards(rows)["broken_promises"].iloc[0])
    assert hazard["tenth"] == pytest.approx(hazard["all"], rel=0.3)
    assert abs(np.log(hazard["tenth"] / hazard["all"])) < abs(np.log(hazard["unweighted"] / hazard["all"]))


def test_a_sample_of_all_reads_and_learns_what_was_there_before(matrix, folder, monkeypatch):
    past = Past.read(folder, ALL)
    assert past.folder is None
    pd.testing.assert_frame_equal(past.rows, read_matrix(folder))
    weights = []
    monkeypatch.setattr("pipeline.train.fit", lambda *arguments: weights.append(arguments[5]))
    fit_at(matrix, DAYS[-1], PARAMS.featurize, ALL)
    assert weights == [None]


def test_of_some_cut_offs_a_sample_holds_who_was_lost_at_them_by_any_label(matrix, folder):
    early = DAYS[:8]
    known = matrix[matrix["as_of"].isin(early)]
    for labels in (("label",), ("label", "silent_1")):
        past = Past.read(folder, TENTH, early, labels)
        assert past.cutoffs == early
        lost = set(known.loc[(known[list(labels)] == 1).any(axis=1), "account_id"])
        names = sorted(set(matrix["account_id"]) - lost)
        drawn = Sample(0.1, ALL.seed).drawn(names)
        kept = [name for name, chosen in zip(names, drawn, strict=True) if chosen]
        assert set(past.rows["account_id"]) == lost | set(kept)
    pd.testing.assert_frame_equal(Past.read(folder, ALL, early).rows, read_matrix(folder, early))


def test_another_recipe_reads_its_own_sample(matrix, folder):
    past = Past.read(folder, TENTH)
    other = changed(TENTH, {"seed": 8})
    pd.testing.assert_frame_equal(past.sampled(other), Past.read(folder, other).rows)
    assert set(past.sampled(other)["account_id"]) != set(past.rows["account_id"])
    whole = Past(matrix)
    assert whole.sampled(TENTH) is whole.rows


@pytest.mark.parametrize("share", [0, -0.1, 1.01])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ConfigurationError, match=rf"sample: Input should be .* \(got {share}\)"):
        changed(PARAMS.train, {"sample": share})


def test_a_missing_matrix_says_what_to_run(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere is missing\. Run the command that wrote it first"):
        accounts_in(tmp_path / "nowhere", Sample(0.1, 7))
    with pytest.raises(ConfigurationError, match=r"nowhere is missing\. Run the command that wrote it first"):
        read_matrix(tmp_path / "nowhere", DAYS[:1])
