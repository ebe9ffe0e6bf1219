"""The language spoken: what is within it is in it, and nothing else."""

from __future__ import annotations

import pytest

from features.errors import ConfigurationError
from models.taxonomy import taxonomy
from reports.language import LANGUAGES, language, say, say_number, speaking, tag


def test_english_is_what_stands_in_the_code():
    assert language() == "en"
    assert say("Of {n} accounts", n=3) == "Of 3 accounts"
    assert [say_number("{n} account", "{n} accounts", n, n=n) for n in (0, 1, 2, 0.5)] == [
        "0 accounts",
        "1 account",
        "2 accounts",
        "0.5 accounts",
    ]


def test_a_language_is_spoken_within_its_block_and_after_an_error_no_more():
    def interrupted():
        with speaking("zh_Hant"):
            assert tag(language()) == "zh-Hant"
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert language() == "en"


def test_a_language_without_a_catalogue_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"no language 'fr'.*en, zh_Hans, zh_Hant, ro"), speaking("fr"):
        pass


def test_every_reason_has_a_name_in_every_language():
    assert [code for code, names in taxonomy().names.items() if set(names) != set(LANGUAGES)] == []
