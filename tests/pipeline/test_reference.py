"""The reference in docs/ is what the declarations say."""

from __future__ import annotations

import re

import pytest
import yaml
from typer.main import get_command

from pipeline.cli import app
from pipeline.params import Params
from pipeline.reference import PAGES, ROOT, commands_page, comments_of, parameters_page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_stale(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), f"docs/{name} is stale: run `make docs`"


def test_every_parameter_has_its_row_in_the_section_of_its_stage():
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    sections = parameters_page().split("\n## ")[1:]
    found = {section.split("\n")[0]: re.findall(r"^\| `(\w+)` ", section, re.MULTILINE) for section in sections}
    assert {name: set(rows) for name, rows in found.items()} == {
        name: set(section) for name, section in values.items() if isinstance(section, dict)
    }
    assert set(found) | {"sources"} == set(Params.model_fields)


def test_a_row_says_what_a_parameter_may_be_and_what_it_is_for():
    page = parameters_page()
    assert (
        "| `quarantine_limit` | `0.5` | number, at least 0, at most 1 | "
        "refuse the extract when more of a table's rows than this are set aside |"
    ) in page
    assert "| `budget` | `10m` | time: `10m`, `2h`, or seconds as in `90` | " in page
    assert "| `currency` | `''` | text | shown behind amounts |" in page
    assert re.search(r"\| `trials` \| `null` \| whole number, at least 1, or null \| ", page)


def test_comments_are_read_with_the_lines_below_them():
    text = """# A heading of the file.
one:                 # of the section
  first: 1           # begins
    # and goes on
  second:            # a mapping
    inner: {x: "#"}  # of its own
two: 2
"""
    assert dict(comments_of(text)) == {
        "": "",
        "one": "of the section",
        "one.first": "begins and goes on",
        "one.second": "a mapping of its own",
        "two": "",
    }


def test_every_command_and_option_has_its_row():
    sections = commands_page().split("\n## holdfast ")[1:]
    commands = get_command(app).commands
    assert [section.split("\n")[0] for section in sections] == list(commands)
    for section, command in zip(sections, commands.values(), strict=True):
        options = re.findall(r"^\| `([\w-]+)` ", section, re.MULTILINE)
        assert options == [option.opts[0] for option in command.params]
    assert "| `--out` | must be given | Folder for the tables; truth.parquet goes beside it. |" in commands_page()
    assert "A stage; sections of `params.yaml` that it depends on: `featurize`." in commands_page()
