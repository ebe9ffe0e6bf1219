"""`params.yaml`, a source's overlay, and options of the command line: what is taken and what is refused by name."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from features.errors import ConfigurationError
from features.periods import Duration
from market.scenarios import SCENARIOS
from pipeline.params import Params, changed, load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "sources" / "mine").mkdir(parents=True)
    return tmp_path


def overlay(root: Path, text: str) -> None:
    (root / "sources" / "mine" / "params.yaml").write_text(text, encoding="utf-8")


def edit(root: Path, section: str, **values: object) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params[section] |= values
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


@pytest.mark.parametrize("source", sorted(path.name for path in (ROOT / "sources").iterdir() if path.is_dir()))
def test_the_projects_own_parameters_are_valid(source):
    params = load(ROOT, source)
    assert source in params.sources
    assert list(yaml.safe_load((ROOT / "params.yaml").read_text())) == list(Params.model_fields)


def test_values_become_what_the_stages_use(root):
    params = load(root, "mine")
    assert params.featurize.period == Duration(1, "month")
    assert params.featurize.booking_lag == Duration(0, "day")
    assert params.ingest.earliest == date(1990, 1, 1)
    assert params.featurize.first_cutoff is None


def test_an_overlay_changes_only_what_it_names(root):
    plain = load(root, "mine")
    overlay(root, "featurize: {period: 30 days}\ntrain: {rounds: 7, leaves: 3}\n")
    params = load(root, "mine")
    assert params.featurize.period == Duration(30, "day")
    assert params.featurize.horizon == plain.featurize.horizon
    assert (params.train.rounds, params.train.leaves, params.train.l2) == (7, 3, plain.train.l2)
    assert params.ingest == plain.ingest
    assert load(root, "other") == plain  # another source has none of it


def test_an_overlay_replaces_a_value_that_is_no_section(root):
    overlay(root, "sources: [mine]\n")
    assert load(root, "mine").sources == ["mine"]


def test_an_unknown_section_of_an_overlay_is_refused(root):
    overlay(root, "trian: {rounds: 7}\n")
    with pytest.raises(
        ConfigurationError, match=r"mine/params\.yaml: unknown section 'trian'\. Sections are audit, .*, tune"
    ):
        load(root, "mine")


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("train", {"leaves": 1}, r"\n  train\.leaves: .*greater than or equal to 2 \(got 1\)\n"),
        ("train", {"leaves": "many"}, r"\n  train\.leaves: .* \(got 'many'\)\n"),
        ("train", {"leafs": 12}, r"\n  train\.leafs: Extra inputs are not permitted \(got 12\)\n"),
        ("ingest", {"quarantine_limit": 1.5}, r"\n  ingest\.quarantine_limit: .*less than or equal to 1 \(got 1\.5\)"),
        ("ingest", {"earliest": "soon"}, r"\n  ingest\.earliest: .* \(got 'soon'\)\n"),
        ("evaluate", {"gate_margin": -0.1}, r"\n  evaluate\.gate_margin: .*greater than or equal to 0 \(got -0\.1\)\n"),
        ("evaluate", {"gate_reasons": 20}, r"\n  evaluate\.gate_reasons: .*less than or equal to 1 \(got 20\)\n"),
        ("evaluate", {"level": 1}, r"\n  evaluate\.level: .*less than 1 \(got 1\)\n"),
        ("evaluate", {"cutoffs": ["2024-13-01"]}, r"\n  evaluate\.cutoffs\.0: .* \(got '2024-13-01'\)\n"),
        ("simulate", {"start": "2021-01-02"}, r"\n  simulate\.start: .*first of a month, for example 2021-01-01 \(got"),
        (
            "simulate",
            {"scenario": "calm"},
            rf"\n  simulate\.scenario: .*must be one of {', '.join(SCENARIOS)} \(got 'calm'",
        ),
        ("money", {"margin": 0}, r"\n  money\.margin: .*greater than 0 \(got 0\)\n"),
        ("money", {"margin": 25}, r"\n  money\.margin: .*less than or equal to 1 \(got 25\)\n"),
        ("money", {"contact_cost": -5}, r"\n  money\.contact_cost: .*greater than or equal to 0 \(got -5\)\n"),
        ("money", {"incentive_share": 1}, r"\n  money\.incentive_share: .*less than 1 \(got 1\)\n"),
        ("money", {"kept": 40}, r"\n  money\.kept: .*less than 1 \(got 40\)\n"),
        ("money", {"kept_accounts": 0}, r"\n  money\.kept_accounts: .*greater than 0 \(got 0\)\n"),
        ("money", {"incentive": float("inf")}, r"\n  money\.incentive: .*finite number \(got inf\)\n"),
        (
            "featurize",
            {"memory": "lots"},
            r"\n  featurize\.memory: .*must be a size: '2GB' or '512MB' \(got 'lots'\)\n",
        ),
        ("ingest", {"memory": 2}, r"\n  ingest\.memory: .*must be a size: '2GB' or '512MB' \(got 2\)\n"),
        ("explain", {"also": -0.1}, r"\n  explain\.also: .*greater than or equal to 0 \(got -0\.1\)\n"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_the_rule_and_what_was_got(root, section, values, message):
    edit(root, section, **values)
    with pytest.raises(ConfigurationError, match=rf"^params\.yaml is not valid:{message}") as caught:
        load(root, "mine")
    assert str(caught.value).endswith("\nCorrect these values.")
    assert caught.value.exit_code == 2


def test_an_overlay_says_what_contacting_costs_there(root):
    overlay(root, "money: {contact_cost: 120, kept: 0.25}\n")
    money, plain = load(root, "mine").money, load(root, "other").money
    assert (money.contact_cost, money.kept, money.margin) == (120, 0.25, plain.margin)
    assert (plain.contact_cost, plain.kept) == (None, 0.4)


def test_a_value_of_an_overlay_is_told_with_its_file(root):
    overlay(root, "train: {rounds: 0}\n")
    with pytest.raises(
        ConfigurationError, match=r"^params\.yaml with .*mine/params\.yaml is not valid:\n  train\.rounds"
    ):
        load(root, "mine")


def test_all_wrong_values_are_told_at_once(root):
    edit(root, "train", leaves=1, rounds=0)
    edit(root, "audit", cutoffs=0)
    with pytest.raises(ConfigurationError, match=r"(?s)audit\.cutoffs.*train\.rounds.*train\.leaves"):
        load(root, "mine")


def test_a_missing_value_is_named(root):
    params = yaml.safe_load((root / "params.yaml").read_text())
    del params["score"]["as_of"]
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(ConfigurationError, match=r"\n  score\.as_of: Field required"):
        load(root, "mine")


@pytest.mark.parametrize("name", ["period", "horizon", "eligible", "booking_lag", "history"])
def test_a_duration_that_cannot_be_read_is_named(root, name):
    edit(root, "featurize", **{name: "a quarter"})
    with pytest.raises(
        ConfigurationError, match=rf"\n  featurize\.{name}: .*'a quarter' is not a duration\. Write for"
    ):
        load(root, "mine")


@pytest.mark.parametrize("name", ["period", "horizon", "eligible"])
@pytest.mark.parametrize("nothing", ["0 months", "0 days"])
def test_a_period_a_horizon_and_a_time_of_eligibility_must_take_some_time(root, name, nothing):
    edit(root, "featurize", **{name: nothing})
    with pytest.raises(
        ConfigurationError, match=rf"\n  featurize\.{name}: .*must be at least one day \(got '{nothing}'\)"
    ):
        load(root, "mine")


def test_history_and_booking_lag_may_be_nothing(root):
    edit(root, "featurize", history="0 months", booking_lag="0 days")
    assert load(root, "mine").featurize.history.count == 0


def test_a_section_of_an_overlay_without_values_changes_nothing(root):
    plain = load(root, "mine")
    overlay(root, "train:\n  # rounds: 7\nscore: {as_of: 2024-03-15}\n")
    assert load(root, "mine").train == plain.train
    assert load(root, "mine").score.as_of == date(2024, 3, 15)


@pytest.mark.parametrize("value", ["7", "[rounds, 7]"])
def test_a_section_of_an_overlay_that_holds_no_names_is_refused(root, value):
    overlay(root, f"train: {value}\n")
    with pytest.raises(
        ConfigurationError, match=r"mine/params\.yaml: section train must hold values by name; it holds "
    ):
        load(root, "mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"params\.yaml is missing\. Run from the project's folder\.$"),
        ("train: [", r"params\.yaml is not YAML: "),
        ("- train\n- score\n", r"params\.yaml must hold sections with values; it holds list\.$"),
        ("", r"params\.yaml must hold sections with values; it holds NoneType\.$"),
    ],
)
def test_a_file_that_holds_no_parameters_is_refused(root, text, message):
    (root / "params.yaml").unlink()
    if text is not None:
        (root / "params.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load(root, "mine")


def test_options_that_were_given_change_a_section(root):
    simulate = load(root, "mine").simulate
    other = changed(simulate, {"accounts": 50, "seed": 0, "scenario": None, "periods": None})
    assert (other.accounts, other.seed) == (50, 0)  # a seed of 0 was given
    assert (other.periods, other.scenario, other.start) == (simulate.periods, simulate.scenario, simulate.start)
    assert simulate == load(root, "mine").simulate  # untouched
    assert changed(simulate, {}) == simulate


def test_an_option_out_of_range_is_named(root):
    simulate = load(root, "mine").simulate
    with pytest.raises(
        ConfigurationError, match=r"^The options are not valid:\n  accounts: .*greater than or equal to 10 \(got 3\)$"
    ):
        changed(simulate, {"accounts": 3})


def test_sections_do_not_change(root):
    with pytest.raises(ValueError, match="frozen"):
        load(root, "mine").train.rounds = 7


def test_medium_accounts_reach_further_than_large_ones(root):
    overlay(root, "segments: {large: 0.9, medium: 0.9}\n")
    with pytest.raises(ConfigurationError, match=r"segments: .*medium \(0.9\) must be above large \(0.9\)"):
        load(root, "mine")
