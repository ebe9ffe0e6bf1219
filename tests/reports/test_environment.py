"""The environment of the templates: messages of the language spoken, and text that stays text."""

from __future__ import annotations

from gettext import NullTranslations

import pytest
from jinja2 import UndefinedError

from reports import language
from reports.environment import environment
from reports.language import speaking


class Romanian(NullTranslations):
    def gettext(self, message):
        return {"Of %(name)s <b>%(n)s</b>": "<b>%(n)s</b> din %(name)s"}.get(message, message)


def written(**values: object) -> str:
    source = "{% trans n=n | count %}\n  Of {{ name }}\n  <b>{{ n }}</b>\n{% endtrans %}"
    return environment().from_string(source).render(**values)


def test_a_message_is_one_line_in_the_language_spoken_when_the_environment_is_made(monkeypatch):
    monkeypatch.setattr(language, "catalogue", lambda spoken: Romanian() if spoken == "ro" else NullTranslations())
    assert written(n=1234, name="A") == "Of A <b>1,234</b>"
    with speaking("ro"):
        assert written(n=1234, name="A") == "<b>1.234</b> din A"


def test_what_is_filled_in_stays_text():
    assert written(n=1, name="<i>%(x)s</i>") == "Of &lt;i&gt;%(x)s&lt;/i&gt; <b>1</b>"


def test_what_is_not_there_is_an_error():
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        written(n=1)


def test_filters_write_lists_intervals_and_durations():
    source = "{{ [1, 2, 3] | map('count') | list | listed }}|{{ '1' | span('2') }}|{{ '3 months' | duration }}"
    assert environment().from_string(source).render() == "1, 2, 3|1 to 2|3 months"
