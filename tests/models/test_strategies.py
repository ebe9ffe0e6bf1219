"""The strategies of the classes are those of the documents, and every class has one."""

import re

import pytest

from models.segments import CLASSES
from models.strategies import strategies


def test_every_class_has_the_strategy_of_the_documents():
    assert tuple(strategies()) == CLASSES
    assert [strategy.strategy for strategy in strategies().values()] == [
        "consolidate",
        "turn_around",
        "lift",
        "liquidate",
    ]
    assert [strategy.code for strategy in strategies().values()] == list(CLASSES)


def test_advice_is_whole_sentences_with_a_source():
    for strategy in strategies().values():
        assert strategy.documents
        assert len(strategy.what_to_do) >= 2
        for sentence in strategy.what_to_do:
            assert re.fullmatch(r"[A-Z].*\.", sentence)


def test_they_cannot_be_changed():
    with pytest.raises(TypeError, match="does not support item assignment"):
        strategies()["EI"] = strategies()["EII"]
