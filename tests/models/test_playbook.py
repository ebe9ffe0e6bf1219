"""The playbook: a step for every reason and class, and what an editor is told who gets it wrong."""

from __future__ import annotations

import re

import pytest
import yaml

from features.errors import ConfigurationError
from models.playbook import ACTIONS, CLASSES, playbook
from models.shares import UNEXPLAINED
from models.taxonomy import TAXONOMY_FILE, taxonomy

REASONS = (*taxonomy().codes, UNEXPLAINED)
CELLS = [(reason, account_class) for reason in REASONS for account_class in (None, *CLASSES)]


@pytest.fixture
def edited(tmp_path):
    """Write `reasons.yaml` as changed by a function of its playbook; gives the path."""

    def write(change):
        content = yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))
        change(content["playbook"])
        path = tmp_path / "reasons.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(("reason", "account_class"), CELLS)
def test_every_reason_and_class_has_a_step(reason, account_class):
    step = playbook().step(reason, account_class)
    assert step.do.endswith(".")
    assert len(re.findall(r"\.(?=\s|$)", step.do)) in (1, 2)
    assert (step.manner is None) == (account_class is None)
    assert step.action in ACTIONS
    assert step.within >= 1
    assert step.hours > 0
    assert 0 <= step.kept <= 1
    assert set(step.documents) <= {"000", "001", "002", "003", "004"}
    assert account_class is None or "003" in step.documents  # the classes are its own


def test_the_countermeasures_for_drifting_accounts_are_those_of_document_003():
    novelty_and_rival = playbook().step("competitor", "EII").do
    for part in ("product is better", "account's own customers", "switching costs", "loyalty plan", "year-end rebate"):
        assert part in novelty_and_rival
    dissatisfied = playbook().step("product", "EII").do
    for part in ("Hear the account out", "corrected", "goodwill", "fits best"):
        assert part in dissatisfied


def test_urgent_classes_come_sooner_and_small_ones_cost_less():
    for reason in REASONS:
        plain = playbook().step(reason, None)
        assert playbook().step(reason, "EII").within <= plain.within
        assert playbook().step(reason, "EII").hours >= plain.hours
        assert playbook().step(reason, "EIV").hours <= 1.5


def test_nothing_is_hoped_for_where_it_is_nobodys_fault_but_for_the_talk_with_strategic_accounts():
    for reason, account_class in CELLS:
        kept = playbook().step(reason, account_class).kept
        strategic = account_class in ("EI", "EII")
        assert kept == ((0.25 if strategic else 0.0) if reason in taxonomy().objective else 1.0)


def test_a_class_changes_only_what_it_names(edited):
    path = edited(lambda book: book["by_reason"]["product"].update(EIII={"owner": "quality department"}))
    assert playbook(path).step("product", "EIII").owner == "quality department"
    assert playbook(path).step("product", "EIII").do == playbook().step("product", None).do
    assert playbook(path).step("product", None) == playbook().step("product", None)


def test_a_classs_own_line_goes_before_the_most_that_the_class_takes(edited):
    def change(book):
        book["by_class"]["EII"] |= {"within_most": 5, "hours_most": 2}
        book["by_reason"]["turbulence"] |= {"within": 9, "hours": 9, "EII": {"hours": 4}}

    step = playbook(edited(change)).step("turbulence", "EII")
    assert (step.within, step.hours) == (5, 4)


def assign(*keys, value):
    def change(book):
        for key in keys[:-1]:
            book = book.setdefault(key, {})
        book[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (assign("by_reason", "product", "action", value="letter"), r"by_reason\.product\.action: .*'visit'.*'letter'"),
        (
            assign("by_reason", "product", "EII", "hours", value=-1),
            r"by_reason\.product\.EII\.hours: .*than 0 \(got -1",
        ),
        (assign("by_reason", "product", "EV", value={}), r"by_reason\.product\.EV: there is no such field.*EI, EII"),
        (assign("by_reason", "product", "EI", "who", value="x"), r"product\.EI\.who: there is no such field\. .*owner"),
        (assign("by_reason", "product", "within", value="soon"), r"product\.within: .*integer.*'soon'"),
        (assign("by_reason", "product", "kept", value=1.5), r"product\.kept: .*equal to 1"),
        (assign("by_reason", "product", "documents", value=[3]), r"product\.documents.*'000'.*quotes"),
        (assign("by_reason", "product", "documents", value=[]), r"product\.documents: .*at least 1"),
        (assign("by_reason", "product", "do", value="Go. Ask. Note."), r"product\.do: must be one or two sentences"),
        (assign("by_reason", "product", "do", value="Go there"), r"product\.do: must end with a full stop"),
        (assign("by_reason", "product", "do", value="Ask {name}."), r"product\.do: must not hold braces"),
        (assign("by_reason", "product", "owner", value=" "), r"product\.owner: must not be empty"),
        (assign("by_reason", "produkt", value={}), r"by_reason\.produkt\.do: is missing"),
        (assign("by_class", "EV", value={"manner": "X.", "documents": ["003"]}), r"by_class\.EV.*EI, EII, EIII, EIV"),
        (assign("by_class", "EI", "hours_most", value=0), r"by_class\.EI\.hours_most: .*greater than 0"),
        (assign("more", value=1), r"playbook\.more: there is no such field\. Fields are by_class, by_reason"),
        (lambda book: book["by_reason"].pop("product"), r"by_reason has nothing for product; .*unexplained"),
        (lambda book: book["by_class"].pop("EIV"), r"by_class has nothing for EIV"),
        (lambda book: book["by_reason"]["product"].pop("hours"), r"by_reason\.product\.hours: is missing"),
    ],
)
def test_what_is_wrong_is_told_with_file_place_and_what_is_allowed(edited, change, told):
    path = edited(change)
    with pytest.raises(ConfigurationError, match=rf"reasons\.yaml is not valid:\n(.*\n)*.*{told}"):
        playbook(path)


def test_an_unknown_reason_is_told_with_what_there_is(edited):
    spare = playbook_content()["by_reason"]["product"]
    path = edited(assign("by_reason", "produkt", value=spare))
    with pytest.raises(
        ConfigurationError, match=r"by_reason has 'produkt', which is none of competitor, .*unexplained"
    ):
        playbook(path)


def playbook_content():
    return yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))["playbook"]


def test_a_file_without_a_playbook_or_that_is_not_yaml_is_refused(tmp_path):
    path = tmp_path / "reasons.yaml"
    path.write_text("version: 2\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="has no `playbook`"):
        playbook(path)
    path = tmp_path / "broken.yaml"
    path.write_text("playbook: [", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        playbook(path)


def test_an_unknown_cell_is_told_with_what_there_is():
    with pytest.raises(
        ConfigurationError, match=r"no step for reason 'weather' and class 'EI'\. Reasons are competitor"
    ):
        playbook().step("weather", "EI")
