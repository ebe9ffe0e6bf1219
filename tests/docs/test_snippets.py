"""Every snippet of the pages runs, in a small project, in the order in which a reader meets it."""

from __future__ import annotations

import contextlib
import doctest
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from snippets import LANGUAGES, Block, blocks_of, commands, read
from typer.main import get_command

from pipeline.cli import app
from tests.small_project import ROOT, environment

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = read(ROOT, PAGES)
PROJECT = [name for name in dict.fromkeys(b.page for b in BLOCKS if b.runs and b.language == "sh")]
ALONE = [name for name in dict.fromkeys(b.page for b in BLOCKS if b.runs) if name not in PROJECT]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.language in LANGUAGES, (
        f"{block.where}: fence the block and name its language: sh or python to have it run, text for output"
    )
    if block.language == "yaml":
        yaml.safe_load(block.text)
    elif block.language == "json":
        json.loads(block.text)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "sh"], ids=lambda block: block.where)
def test_its_commands_and_options_exist_though_it_may_not_run(block: Block) -> None:
    for name, *words in commands(block.text):
        if name.startswith("-"):
            continue
        assert name in COMMANDS, f"{block.where}: there is no `holdfast {name}`"
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
        given = {word.split("=")[0] for word in words if word.startswith("--")}
        assert given <= known, f"{block.where}: `holdfast {name}` has no {sorted(given - known)}"


@pytest.mark.parametrize("page", ALONE)
def test_python_runs(page: str) -> None:
    run(page, ROOT)


@pytest.mark.snippets
@pytest.mark.parametrize("page", PROJECT)
def test_commands_run(page: str, small_project: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(small_project, project, symlinks=True)
    run(page, project)


def run(page: str, project: Path) -> None:
    """Run the blocks of a page in order; fails at the first that does, saying where."""
    names: dict[str, object] = {"__name__": "__main__"}
    with contextlib.chdir(project):
        _run(page, project, names)


def _run(page: str, project: Path, names: dict[str, object]) -> None:
    for block in BLOCKS:
        if block.page != page or not block.runs:
            continue
        if block.language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=project,
                env=environment(project),
                capture_output=True,
                text=True,
                timeout=600,
            )
            assert done.returncode == 0, f"{block.where}: {done.stdout}{done.stderr}"
        elif ">>>" in block.text:
            test = doctest.DocTestParser().get_doctest(block.text, names, page, page, block.line)
            said: list[str] = []
            runner = doctest.DocTestRunner(verbose=False)
            runner.run(test, out=said.append, clear_globs=False)
            names.update(test.globs)
            assert not said, f"{block.where}: {''.join(said)}"
        else:
            exec(compile("\n" * block.line + block.text, str(ROOT / page), "exec"), names)


def test_blocks_are_found_with_language_place_and_reason() -> None:
    text = """# A page

<!-- not run: it takes
hours -->
```sh
make quality
```

```python
print(1)
```

text

    holdfast run

- in a list

  ```
  out
  ```
"""
    assert blocks_of(text, "page.md") == [
        Block("page.md", 5, "sh", "make quality\n", "it takes\nhours"),
        Block("page.md", 9, "python", "print(1)\n", ""),
        Block("page.md", 15, "", "holdfast run\n", ""),
        Block("page.md", 19, "", "out\n", ""),
    ]


def test_commands_are_found_without_comments_and_over_lines() -> None:
    text = (
        "cd x\n.venv/bin/holdfast score --source a \\\n    --out s.csv  # --no\nmake run  # holdfast x\nholdfast run\n"
    )
    assert commands(text) == [["score", "--source", "a", "--out", "s.csv"], ["run"]]
