"""What a page says: its tags, its words, its tables and its charts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from gettext import NullTranslations
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

from reports.words import money

VOID = {"meta", "link", "input"}
SILENT = {"style", "script"}  # what stands in them is not seen


class Reader(HTMLParser):
    """Tags with their attributes, visible text, and whether what is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in SILENT:
            self.words.append(data)


@dataclass
class Cell:
    """A cell of a table: its words, the exact value it holds for machines, and where it leads."""

    text: str = ""
    value: str | None = None
    key: str | None = None
    links: list[str] = field(default_factory=list)

    @property
    def number(self) -> float:
        assert self.value, self
        return float(self.value)


class _Tables(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[Cell]] = []
        self.cell: Cell | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = Cell(key=found.get("data-key"))
            self.rows[-1].append(self.cell)
        elif self.cell is not None and tag == "data":
            self.cell.value = found["value"]
        elif self.cell is not None and tag == "a":
            self.cell.links.append(found["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cell is not None:
            self.cell.text = " ".join(self.cell.text.split())
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.text += data


def table(html: str, label: str) -> list[list[Cell]]:
    """The rows, its head among them, of the table in the box with the label, or after the heading with these words."""
    start = max(html.find(f'aria-label="{label}"'), html.find(f">{label}</h"))
    assert start >= 0, f"no table {label!r}"
    start = html.index("<table", start)
    return _Tables(html[start : html.index("</table>", start)]).rows


def section(html: str, name: str, end: str = "</section>") -> str:
    """What stands from the heading of the name to the end of its section."""
    part = html[html.index(f'id="{name}-heading"') :]
    part = part[: part.index(end)]
    return part[part.index(">") + 1 :]


def words(html: str) -> str:
    """The visible words of a part of a page, whatever is open at its ends."""
    parts = re.sub(r"<[^>]*>", " ", html)
    return " ".join(unescape(parts).split())


class Marked(NullTranslations):
    """Every message in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def unmarked(told: str) -> set[str]:
    """The words of a text that stand in no message, where messages are `Marked`."""
    while "⟦" in told:
        told, found = re.subn(r"⟦[^⟦⟧]*⟧", "", told)
        assert found
    return set(re.findall(r"[^\W\d_]{2,}", told))


def svgs(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", html, flags=re.DOTALL)]


def euros(value: float) -> str:
    """As `Reader.text` has it, which knows one kind of space."""
    return money(value, "EUR").replace("\N{NO-BREAK SPACE}", " ")


def says_nothing_empty(html: str) -> None:
    reader = Reader(html)
    seen = [value or "" for _, found in reader.tags for name, value in found.items() if name in ("value", "data-key")]
    found = re.findall(
        r"\b(?:nan|None|null|inf|NaT|NA|Undefined)\b", " ".join([reader.text, *seen]), flags=re.IGNORECASE
    )
    assert [word for word in found if word != "none"] == []
    assert "{" not in reader.text
    assert "()" not in reader.text
