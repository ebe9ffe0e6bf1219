"""The fenced blocks of the pages, and what is done with each.

`sh` and `python` run; `text` is output or a picture; `yaml` and `json` must parse. A block that does not run has the
reason right above it, in a comment `<!-- not run: REASON -->`. Libraries were looked at: pytest-markdown-docs and
pytest-examples run Python alone, and most blocks here are commands; sybil would run these through an evaluator of our
own, but leaves a block without a language, which is what is to be refused, unseen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

RUN = ("sh", "python")
LANGUAGES = (*RUN, "text", "yaml", "json", "sql", "csv", "html")
_NOT_RUN = re.compile(r"\s*<!-- not run: (\S.*\S) -->\s*", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of a page: where it begins, its language ("" without one), its lines, and why it does not run, if so."""

    page: str
    line: int
    language: str
    text: str
    not_run: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in RUN and not self.not_run


def blocks_of(text: str, page: str) -> list[Block]:
    """The code blocks of a page of Markdown in order, indented ones too."""
    found: list[Block] = []
    above = ""
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block"):
            match = _NOT_RUN.fullmatch(above)
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(page, line, token.info.strip(), token.content, match.group(1) if match else ""))
        above = token.content if token.type == "html_block" else ""
    return found


def read(root: Path, pages: Sequence[Path]) -> list[Block]:
    """The blocks of some pages below `root`."""
    return [
        block
        for page in pages
        for block in blocks_of(page.read_text(encoding="utf-8"), page.relative_to(root).as_posix())
    ]


def commands(text: str) -> list[list[str]]:
    """The words after `holdfast` of each such command in a block of commands; comments and continuations are seen to."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [re.sub(r"(^|\s)#.*$", "", line) for line in joined.splitlines()]
    return [match.group(1).split() for line in lines if (match := re.match(r"\s*(?:\S*/)?holdfast\s+(.*)$", line))]
