"""docs/feedback.md: its examples run, and the commands in it are those of the command line."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from typer.main import get_command

from features.tables import TABLES
from pipeline.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "feedback.md"


def test_the_examples_of_the_page_run() -> None:
    ran = doctest.testfile(str(PAGE), module_relative=False)
    assert (ran.failed, ran.attempted > 10) == (0, True)


def test_the_commands_and_verdicts_of_the_page_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    options = {name for parameter in get_command(app).commands["feedback"].params for name in parameter.opts}
    commands = re.findall(r"^    holdfast feedback (.*)$", text, re.MULTILINE)
    assert len(commands) == 4
    assert set(re.findall(r"--\w+", " ".join(commands))) <= options
    assert re.findall(r"^\| `(\w+)` \| .* \| .* \|$", text, re.MULTILINE) == list(TABLES["feedback"]["verdict"].allowed)
    exits = re.findall(r"^\| `(\w+)` \| [^|]* \|$", text, re.MULTILINE)
    assert exits == [column.name for column in TABLES["exits"].columns if column.name != "recorded_at"]
