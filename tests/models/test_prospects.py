"""Prospects: weighted means of what was judged, classes only where both sides are known, samples that stay."""

from datetime import date, datetime

import pandas as pd
import pytest
import yaml

from features.engines import connect, open_tables
from features.errors import ConfigurationError
from features.tables import WEAK_INTENTS
from models.prospects import COLUMNS, CRITERIA, Judging, judge, playbook, playbook_of, read, reliability
from models.taxonomy import TAXONOMY_FILE
from tests.features.worlds import mutate_future, world, write

WEIGHTS = dict(zip(CRITERIA, (1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 1.0), strict=True))
JUDGING = Judging(WEIGHTS, least_judged=0.5, high=3.0, sample=0.3, seed=7)
AS_OF = date(2024, 3, 15)


def prospects(*rows):
    base = dict.fromkeys(("prospect_id", "name", "region", "source", "third_party", "intent", "intent_why", *CRITERIA))
    frame = pd.DataFrame([{**base, "prospect_id": f"X{number}", **row} for number, row in enumerate(rows)])
    return frame.astype({name: "Int64" for name in CRITERIA})


def alike(value, **others):
    return dict.fromkeys(CRITERIA, value) | others


def test_the_score_is_the_weighted_mean_of_what_was_judged():
    mixed = alike(2, customer_reach=4, growth=None, purchasing_power=None, intent="strong")
    told = judge(prospects(mixed, alike(5, intent="weak")), JUDGING).prospects.set_index("prospect_id")
    assert told.loc["X0", "score"] == pytest.approx((4 * 2 + 0.5 * 4) / 4.5)
    assert told.loc["X0", "judged"] == pytest.approx(4.5 / 6)
    assert told.loc["X1", ["score", "judged"]].tolist() == [5.0, 1.0]


def test_classes_and_why_there_is_none():
    few = dict.fromkeys(CRITERIA[4:6], 5) | {"intent": "strong"}  # two of six
    half = dict.fromkeys(CRITERIA[4:7], 5) | {"intent": "strong"}  # three of six: just enough
    rows = [alike(value, intent=intent) for value in (3, 2) for intent in ("weak", "strong")]
    told = judge(prospects(*rows, alike(4), few, half, {}), JUDGING).prospects
    assert tuple(told.columns) == COLUMNS
    assert told["prospect_id"].tolist() == ["X6", "X1", "X0", "X3", "X2", "X4", "X5", "X7"]
    assert told["class"].tolist()[:5] == ["PI", "PI", "PII", "PIII", "PIV"]
    assert told["class"].isna().tolist()[5:] == [True] * 3
    assert told["lacking"].tolist()[5:] == ["intent", "criteria", "criteria"]
    assert told["lacking"].isna().tolist()[:5] == [True] * 5
    assert told["score"].isna().tolist() == [False] * 6 + [True] * 2


def test_scores_that_do_not_differ_are_neither_high_nor_low():
    alone = judge(prospects(alike(4, intent="weak")), Judging(WEIGHTS, 0.5, None, 0.3, 7))
    assert alone.high is None
    assert alone.prospects["lacking"].tolist() == ["criteria"]


def test_third_parties_are_marked_and_their_sample_stays_when_rows_are_added():
    rows = [alike(3, intent="weak", third_party=number % 2 == 0, prospect_id=f"Y{number}") for number in range(400)]
    told = judge(prospects(*rows), JUDGING).prospects
    sampled = set(told.loc[told["sample"], "prospect_id"])
    assert all(int(name[1:]) % 2 == 0 for name in sampled)
    assert 40 <= len(sampled) <= 80
    more = judge(prospects(*rows[::-1], alike(1, prospect_id="new", third_party=True)), JUDGING).prospects
    assert set(more.loc[more["sample"], "prospect_id"]) - {"new"} == sampled
    other = judge(prospects(*rows), Judging(WEIGHTS, 0.5, 3.0, 0.3, 8)).prospects
    assert set(other.loc[other["sample"], "prospect_id"]) != sampled
    everyone = judge(prospects(*rows), Judging(WEIGHTS, 0.5, 3.0, 1.0, 8)).prospects
    assert everyone["sample"].sum() == 200


def test_a_source_tells_a_third_party_and_nothing_tells_nothing():
    rows = [{"source": "third_party"}, {"source": "visit", "third_party": False}, {"source": "record"}, {}]
    told = judge(prospects(*rows), JUDGING).prospects
    assert told["third_party"].tolist() == [True, False, pd.NA, pd.NA]


def test_reliability_only_where_both_have_judged():
    own = [alike(3, name=f"Shop {number}", region="North", third_party=False) for number in range(6)]
    third = [alike(4 if number else 2, name=f"shop {number} ", region="North", third_party=True) for number in range(6)]
    far = [alike(1, name="Shop 1", region="South", third_party=True)]
    told = reliability(judge(prospects(*own, *third, *far), JUDGING).prospects, 200, 0.9, 7)
    assert told["pairs"] == 6
    assert told["bias"]["value"] == pytest.approx(4 / 6)
    assert told["distance"]["value"] == pytest.approx(1.0)
    assert told["bias"]["low"] < 4 / 6 < told["bias"]["high"]
    assert reliability(judge(prospects(*own, *far), JUDGING).prospects, 200, 0.9, 7) is None


def test_only_what_was_recorded_before_the_as_of(tmp_path):
    tables = world(2)
    write(tmp_path / "now", tables)
    now = read(open_tables(connect("1GB"), tmp_path / "now"), AS_OF)
    assert 0 < len(now) < len(tables["prospects"])
    assert (now["recorded_at"].isna() | (now["recorded_at"] < datetime(2024, 3, 15))).all()
    write(tmp_path / "later", mutate_future(tables, AS_OF, 9))
    pd.testing.assert_frame_equal(read(open_tables(connect("1GB"), tmp_path / "later"), AS_OF), now)
    judged = judge(now, JUDGING).prospects
    assert len(judged) == len(now)


def test_columns_that_a_source_lacks_are_empty_and_without_the_table_it_does_not_exist(tmp_path):
    write(tmp_path / "now", world(2))
    tables = open_tables(connect("1GB"), tmp_path / "now")
    bare = {"prospects": tables["prospects"].select("prospect_id", "growth")}
    told = judge(read(bare, AS_OF), JUDGING)
    assert set(told.prospects["lacking"]) == {"criteria"}
    assert told.prospects["third_party"].isna().all()
    assert read({"orders": tables["orders"]}, AS_OF) is None
    assert judge(None, JUDGING).lacking == "prospects"
    assert judge(None, JUDGING).prospects.empty


def test_the_playbook_has_each_class_and_each_cause_once():
    book = playbook()
    assert {entry.code: entry.strategy for entry in book.classes} == {
        "PI": "win_first",
        "PII": "cultivate",
        "PIII": "sign",
        "PIV": "leave",
    }
    assert [entry.code for entry in book.intents] == list(WEAK_INTENTS)
    assert all(entry.documents == ["003"] for entry in (*book.classes[:2], *book.intents))
    assert all(entry.documents == [] for entry in book.classes[2:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["classes"].pop(), "prospects.classes: must have each of PI, PII, PIII, PIV once"),
        (lambda content: content["intents"].append(content["intents"][0]), "prospects.intents: must have each of"),
        (lambda content: content["classes"][0].update(text=""), r"prospects.classes.0.text: .* got ''"),
        (lambda content: content["classes"][0].update(documents=["009"]), r"prospects.classes.0.documents.0: "),
        (lambda content: content.update(others=[]), r"prospects.others: Extra"),
    ],
)
def test_a_playbook_that_is_not_as_it_must_be_is_refused(change, message):
    content = yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))["prospects"]
    change(content)
    with pytest.raises(ConfigurationError, match=message):
        playbook_of(content)
    with pytest.raises(ConfigurationError, match=r"reasons.yaml, prospects: .* got None"):
        playbook_of(None)
