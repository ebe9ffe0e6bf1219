"""The version of a definition changes with what decides its values, and with nothing else; what does not fit is a diff."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import pytest

from features.catalog import DECLARED, FEATURES
from features.errors import ContractError
from features.versions import require, version_of

MODULE = '''
"""A theme."""
from features.declaration import Additive, Theme

theme = Theme("made_up")
LIMIT = 3
SPENT = Additive("spent", "orders", "ordered_at", value=lambda t: t.amount, where=lambda t: ~t.is_return)


def half(values):
    """A helper."""
    return values / 2


@theme.feature(unit="money", reason="context", direction="none", sentence="Spent {value}", windows=(3,))
def spent(v, w):
    """Money spent in {w} periods."""
    return half(v.total(SPENT, w)) + LIMIT
'''


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """A function that gives the feature of a changed text of the module."""
    names = []

    def declare(old: str = "", new: str = ""):
        assert old in MODULE
        name = f"features.made_up_{len(names)}"
        path = tmp_path / f"made_up_{len(names)}.py"
        path.write_text(MODULE.replace(old, new))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        names.append(name)
        return module.theme.features[0]

    return declare


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v.total(SPENT, w)) + LIMIT", "v.total(SPENT, w)) - LIMIT"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("values / 2", "values / 3"),
        ("~t.is_return", "t.is_return"),
        ("t.amount", "t.margin"),
        ('"ordered_at"', '"recorded_at"'),
        ("windows=(3,)", "windows=(6,)"),
        ("windows=(3,)", 'windows=(3,), peers="tier"'),
    ],
)
def test_what_decides_the_values_changes_the_version(declared, old, new):
    assert version_of(declared(old, new)) != version_of(declared())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Spent {value}", "It spent {value}"),
        ("Money spent in {w} periods.", "Money that was spent in {w} periods."),
        ('"""A helper."""', '"""Half of it."""  # as ever'),
        ("LIMIT = 3", "\n\n\nLIMIT = 3"),
        ("def spent(v, w):", "def spent(v: object, w: int) -> object:"),
        ('reason="context"', 'reason="symptom"'),
    ],
)
def test_words_and_places_do_not(declared, old, new):
    assert version_of(declared(old, new)) == version_of(declared())


def test_every_feature_has_a_version_of_its_own():
    found = {version_of(feature) for feature in FEATURES}
    assert len(found) == len(FEATURES)
    assert all(len(version) == 8 for version in found)


def test_what_does_not_fit_is_told_as_a_diff():
    shown = [DECLARED[name] for name in ("recency", "amount_12", "amount_6")]
    versions = {feature.name: version_of(feature) for feature in shown}
    require(["recency", "amount_12"], versions, shown)  # more than is needed is no harm
    with pytest.raises(
        ContractError,
        match=r"do not fit the model, which has 3 features \(- missing, ~ changed, \+ unknown\):\n"
        r"  - amount_3: no table shows it; the closest there is: amount_6\n"
        rf"  ~ recency: its definition changed, 00000000 when the model learned, {versions['recency']} now\n"
        r"  \+ amount_6: the model does not know it\n"
        r"Ingest the tables .* or run `holdfast featurize` and `holdfast train` again\.$",
    ):
        require(["amount_3", "amount_12", "recency"], versions | {"recency": "00000000"}, shown)


def test_a_changed_formula_is_another_version():
    feature = DECLARED["recency"]
    assert version_of(replace(feature, formula=DECLARED["tenure"].formula)) != version_of(feature)
