"""The search goes on as if it had never stopped, and what it finds is not mistaken for more than luck."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.metrics import log_loss as oracle

from models.metrics import auc, evaluate, tally
from models.tuning import Range, Task, Tried, decide, log_loss, open_study, search, tried
from models.tuning_plot import LEAST, importance, plot

DAYS = (date(2024, 3, 1), date(2024, 4, 1), date(2024, 5, 1))
PRESENT = {"rounds": 40, "leaves": 20, "learning_rate": 0.30125}
SPACE = {"rounds": Range(10, 200, True), "leaves": Range(2, 40, True), "learning_rate": Range(0.01, 0.5, False)}


def rows_of(count: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frames = [
        pd.DataFrame(
            {
                "account_id": [f"A{number}" for number in range(count)],
                "as_of": day,
                "odds": rng.normal(-1, 2, count),
                "noise": rng.normal(0, 2, count),
                "chance": rng.random(count),
            }
        )
        for day in DAYS
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(label=(frame["chance"] < 1 / (1 + np.exp(-frame["odds"]))).astype(float))


ROWS = rows_of()


def predict(values, cutoff):
    """The nearer the learning rate is to 0.05, the less noise; the other parameters do nothing."""
    rows = ROWS[ROWS["as_of"] == cutoff]
    odds = rows["odds"] + abs(np.log(values["learning_rate"] / 0.05)) * rows["noise"]
    return (1 / (1 + np.exp(-odds))).to_numpy()


TASK = Task(ROWS[["account_id", "as_of", "label"]], DAYS, (PRESENT,), SPACE, predict, warm=4, seed=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One file for all studies, each of its own name: to make one takes longest."""
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture
def searched(folder, request):
    def until(trials: int, task: Task = TASK, name: str = request.node.name, fresh: bool = False) -> list[Tried]:
        told: list[Tried] = []
        with open_study(folder / "tuning.db", name, fresh) as study:
            search(task, study, folder / name, lambda ended: ended < trials, told.append)
            found = tried(study, folder / name)
        assert told == found[len(found) - len(told) :]
        return found

    return until


def essence(trials):
    return [(trial.number, trial.values, trial.pruned, trial.auc, trial.log_loss) for trial in trials]


@pytest.fixture(scope="module")
def whole(folder):
    """Twelve trials in one go."""
    with open_study(folder / "tuning.db", "whole") as study:
        search(TASK, study, folder / "whole", lambda ended: ended < 12, lambda trial: None)
        return tried(study, folder / "whole")


def test_the_present_parameters_are_tried_first_and_exactly(whole):
    assert (whole[0].number, whole[0].values) == (0, PRESENT)
    assert [trial.number for trial in whole] == list(range(12))


def test_the_search_nears_what_is_best(whole):
    best = max(whole, key=lambda trial: trial.mean_auc)
    assert 0.03 < best.values["learning_rate"] < 0.08
    assert best.mean_auc > whole[0].mean_auc + 0.05


def test_a_trial_that_falls_behind_is_given_up_before_it_has_seen_all_cutoffs(whole):
    assert any(trial.pruned for trial in whole)
    for trial in whole:
        assert (len(trial.auc) < len(DAYS)) == trial.pruned
        assert str(DAYS[-1]) in trial.auc  # the latest one is asked first
        assert trial.file.exists() != trial.pruned


def test_the_first_ones_are_never_given_up(searched):
    bad = {**PRESENT, "learning_rate": 0.5}
    good = [{**PRESENT, "learning_rate": 0.05, "rounds": rounds} for rounds in range(40, 46)]
    trials = searched(8, replace(TASK, first=(PRESENT, *good, bad)))
    assert [trial.values for trial in trials] == [PRESENT, *good, bad]
    assert not any(trial.pruned for trial in trials)


def test_a_search_that_goes_on_finds_what_one_run_finds(whole, searched):
    assert essence(searched(3)) == essence(whole[:3])
    assert essence(searched(12)) == essence(whole)
    assert essence(searched(5)) == essence(whole)  # there are more already


@pytest.mark.parametrize("asked", [2, 14])  # within the present parameters, and where the sampler has learned
def test_a_search_broken_off_within_a_trial_goes_on_as_if_it_had_not_been(whole, searched, asked):
    count = 0

    def until_broken_off(values, cutoff):
        nonlocal count
        count += 1
        if count == asked:
            raise KeyboardInterrupt
        return predict(values, cutoff)

    with pytest.raises(KeyboardInterrupt):
        searched(8, replace(TASK, predict=until_broken_off))
    assert essence(searched(8)) == essence(whole[:8])


def test_another_seed_searches_elsewhere(whole, searched):
    other = searched(2, replace(TASK, seed=1000))
    assert other[0].values == PRESENT
    assert other[1].values != whole[1].values


def test_fresh_forgets_the_study_and_no_other(searched):
    searched(2, name="one")
    searched(2, name="other")
    assert len(searched(1, name="one", fresh=True)) == 1
    assert len(searched(1, name="other")) == 2


def test_wide_ranges_are_searched_by_magnitude_and_values_have_three_digits():
    trial = optuna.create_study().ask()
    value = Range(0.01, 0.2, False).suggest(trial, "learning_rate")
    Range(0.2, 1.0, False).suggest(trial, "feature_fraction")
    Range(0.0, 100.0, False).suggest(trial, "l2")  # zero has no magnitude
    assert isinstance(Range(50, 800, True).suggest(trial, "rounds"), int)
    assert trial.distributions == {
        "learning_rate": FloatDistribution(0.01, 0.2, log=True),
        "feature_fraction": FloatDistribution(0.2, 1.0),
        "l2": FloatDistribution(0.0, 100.0),
        "rounds": IntDistribution(50, 800, log=True),
    }
    assert value == float(f"{value:.3g}")
    assert Range(50, 800, True).holding(20) == Range(20, 800, True)
    assert Range(50, 800, True).holding(900) == Range(50, 900, True)


def test_log_loss_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    label, risk = rng.integers(0, 2, 50).astype(float), rng.random(50).round(1).clip(0.1, 0.9)
    weight = rng.integers(0, 4, (3, 50)).astype(float)
    expected = [oracle(label, risk, sample_weight=row) for row in weight]
    np.testing.assert_allclose(log_loss(tally(label, risk, weight)), expected)
    assert log_loss(tally([1.0], [0.0]))[0] == pytest.approx(-np.log(1e-6))
    assert np.isnan(log_loss(tally([1.0], [0.5], [[0.0]]))).all()


def blurred_if_small(seed):
    """Few leaves predict the same but for a noise that is far less than the accounts can show, and worse by chance."""

    def function(values, cutoff):
        risk = predict(values, cutoff)
        noise = np.random.default_rng([seed, cutoff.month]).normal(0, 0.01, len(risk))
        return (risk + noise).clip(0.001, 0.999) if values["leaves"] < 5 else risk

    return function


def decided(folder, given, function=predict, resamples=100):
    """What is decided on exactly these values, the first of them the present ones."""
    task = replace(TASK, first=(given[0],), predict=function)
    trials = []
    for number, values in enumerate(given):
        auc_of = {
            str(day): float(auc(tally(ROWS.loc[ROWS["as_of"] == day, "label"], function(values, day)))[0])
            for day in DAYS
        }
        trials.append(
            Tried(number, values, False, auc_of, dict.fromkeys(auc_of, 0.0), 0.1, folder / f"{number}.parquet")
        )
    return decide(task, trials, resamples, 0.95, 7)


def test_what_is_clearly_better_is_recommended_in_its_smallest_form(tmp_path):
    large, small = ({**PRESENT, "learning_rate": 0.05, "leaves": leaves} for leaves in (20, 4))
    smaller_still_but_worse = {**PRESENT, "learning_rate": 0.2, "leaves": 2}

    found = decided(tmp_path, [PRESENT, large, small, smaller_still_but_worse], blurred_if_small(2))
    assert found["best"]["values"] == large
    assert (found["recommended"], found["params"]) == ("change", small)
    assert found["smallest"]["values"] == small
    assert found["best"]["against_present"]["auc"]["low"] > 0.02
    assert found["left_out"]["better"] == 1
    assert [item["number"] for item in found["finalists"]] == [0, 1, 2, 3]


def test_the_difference_to_the_present_is_that_of_the_evaluation(tmp_path):
    other = {**PRESENT, "learning_rate": 0.05}
    found = decided(tmp_path, [PRESENT, other])["best"]
    frame = ROWS[["account_id", "as_of", "label"]].assign(lapsed=False)
    for name, values in (("other", other), ("present", PRESENT)):
        frame[name] = np.concatenate([predict(values, day) for day in DAYS])
    expected = evaluate(frame, ["other", "present"], 100, 0.95, 7)
    assert found["against_present"]["auc"] == pytest.approx(expected["paired"]["all"]["present"]["mean"]["auc"])
    for day in DAYS:
        assert found["auc"][str(day)] == pytest.approx(expected["population"]["all"]["other"][str(day)]["auc"]["value"])


def test_a_difference_that_cannot_be_seen_changes_nothing(tmp_path):
    small = {**PRESENT, "leaves": 4}
    found = decided(tmp_path, [small, PRESENT], blurred_if_small(4))
    assert (found["recommended"], found["params"]) == ("keep", small)
    assert found["best"]["number"] == 1
    assert found["why"].endswith("cannot be seen on these accounts")


def test_nothing_better_changes_nothing(tmp_path):
    found = decided(tmp_path, [PRESENT, {**PRESENT, "learning_rate": 0.5}])
    assert (found["recommended"], found["best"]["number"]) == ("keep", 0)
    assert found["why"] == "Nothing better than the present parameters was found"
    alone = decided(tmp_path, [PRESENT])
    assert (alone["recommended"], alone["best"]["number"]) == ("keep", 0)


def test_the_luckiest_of_many_that_only_guess_is_not_recommended(tmp_path):
    def guess(values, cutoff):
        rows = ROWS[ROWS["as_of"] == cutoff]
        rng = np.random.default_rng([values["rounds"], cutoff.month])
        return (1 / (1 + np.exp(-rows["odds"] - rng.normal(0, 2, len(rows))))).to_numpy()

    given = [{**PRESENT, "rounds": 100 + number} for number in range(25)]
    found = decided(tmp_path, given, guess)
    assert found["best"]["number"] > 0
    assert found["left_out"]["gain"] < found["best"]["against_present"]["auc"]["value"] / 2
    assert found["recommended"] == "keep"


def test_better_ranks_at_the_price_of_worse_probabilities_are_not_recommended(tmp_path):
    def too_sure(values, cutoff):
        risk = predict(values, cutoff)
        return risk if values["learning_rate"] > 0.1 else 1 / (1 + (1 / risk - 1) ** 9)

    found = decided(tmp_path, [PRESENT, {**PRESENT, "learning_rate": 0.05}], too_sure)
    assert found["best"]["against_present"]["auc"]["low"] > 0
    assert found["best"]["against_present"]["log_loss"]["low"] > 0
    assert found["recommended"] == "keep"
    assert found["why"].startswith("What ranks better gives worse probabilities")


def test_risks_whose_file_is_gone_are_predicted_again(whole):
    before = decide(TASK, whole, 20, 0.95, 7)
    next(trial for trial in whole if not trial.pruned).file.unlink()
    assert decide(TASK, whole, 20, 0.95, 7) == before


def test_the_picture_shows_what_mattered(tmp_path, whole):
    study = optuna.create_study(direction="maximize")
    space = {name: FloatDistribution(0, 1) for name in ("much", "nothing")}
    for number in range(LEAST):
        assert importance(study) == {}  # too few to say
        much, nothing = number / LEAST, number * 0.37 % 1
        study.add_trial(optuna.create_trial(params={"much": much, "nothing": nothing}, distributions=space, value=much))
    shares = importance(study)
    assert list(shares) == ["much", "nothing"]
    assert sum(shares.values()) == pytest.approx(1)
    for given in (shares, {}):
        plot(whole, given, tmp_path / "plots" / f"{len(given)}.png")
        assert (tmp_path / "plots" / f"{len(given)}.png").read_bytes().startswith(b"\x89PNG")
