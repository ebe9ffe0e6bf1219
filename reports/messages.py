"""What the catalogues have to hold: `python -m reports.messages` brings them up to date, `--check` says what they lack.

Messages come from `say`, `say_number` and `message` in the code of the report, from its templates, from the sentences of
the features, from the texts of `reasons.yaml`, from the claims of the documents, and from the advice of monitoring.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from features.catalog import FEATURES
from features.errors import ContractError
from models.advice import ADVICE
from models.claims import CANNOT, CLAIMS
from models.taxonomy import TAXONOMY_FILE
from reports import language
from reports.environment import TEMPLATES
from reports.language import LANGUAGES
from reports.sentences import singular

CODE = Path(__file__).parent
ENGLISH = {
    *("labels.py", "card.py"),
    *("labels.html.j2", "model_card.md.j2", "technical.html.j2"),
}  # technical pages, which stay English
TEXTS = ("remedy", "owner", "what", "what_to_do", "text", "do", "manner", "title")  # keys of `reasons.yaml` with texts
SPOKEN: dict[str, Any] = {"say": None, "say_number": (1, 2), "message": None}
WRITTEN: dict[str, Any] = {"gettext": None, "ngettext": (1, 2)}
# As `reports.environment` has them.
OPTIONS = {
    "trimmed": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "newstyle_gettext": "true",
    "silent": "false",
}
BRACES, PERCENT = "python-brace-format", "python-format"  # how the placeholders of a message are filled
MARKS = re.compile(r"\{\w*\}|%\(\w+\)s|</?\w[^>]*>|\"")  # what a translation must hold as the message does

Id = str | tuple[str, str]  # of a message, or of its forms for one and for many


def needed() -> Catalog:
    """The messages of the code as it is, with the flags BRACES and PERCENT by how they are filled.

    Raises ContractError for two messages that differ in their form for many only: catalogues know them by that for one.
    """
    catalogue, flags, many = Catalog(), defaultdict[str, set[str]](set), dict[str, str]()
    for id, flag in _needed():
        one, *others = (id,) if isinstance(id, str) else id
        if others and many.setdefault(one, others[0]) != others[0]:
            raise ContractError(f"{one!r} stands for {many[one]!r} and for {others[0]!r}. Word one of them otherwise.")
        catalogue.add(id)
        flags[one].add(flag)
    for message in _messages(catalogue):
        message.flags = set(flags[_ids(message)[0]])
    return catalogue


def texts(node: Any) -> Iterator[str]:
    """Every string below a key of TEXTS, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value) if key in TEXTS else texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)


def path_of(spoken: str) -> Path:
    """The file of a language's catalogue."""
    return language.CATALOGUES / f"{spoken}.po"


def read(spoken: str) -> Catalog:
    """The catalogue of a language as it lies there; empty where there is none."""
    if not path_of(spoken).exists():
        return Catalog(locale=spoken)
    with path_of(spoken).open("rb") as file:
        return read_po(file, locale=spoken)


def update(spoken: str) -> Catalog:
    """Write the catalogue of a language with the messages needed, sorted, and what there was of translations."""
    catalogue = read(spoken)
    catalogue.update(needed(), no_fuzzy_matching=True)
    for message in _messages(catalogue):
        if not MARKS.search(" ".join(_ids(message))):
            message.flags -= {BRACES, PERCENT}
    path_of(spoken).parent.mkdir(parents=True, exist_ok=True)
    with path_of(spoken).open("wb") as file:
        file.write(_header(catalogue).encode())
        write_po(file, catalogue, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    return catalogue


def missing(spoken: str) -> list[str]:
    """Messages that the code needs and the catalogue has not."""
    return sorted(_keys(needed()) - _keys(read(spoken)))


def obsolete(spoken: str) -> list[str]:
    """Messages that the catalogue has and no code needs."""
    return sorted(_keys(read(spoken)) - _keys(needed()))


def untranslated(spoken: str) -> list[str]:
    """Messages of the catalogue without a translation, or with one that nobody has looked at."""
    return sorted(_key(message) for message in _messages(read(spoken)) if not _translated(message))


def unlike(spoken: str) -> list[str]:
    """Messages whose translation has other placeholders, tags or quotation marks, or cannot be filled."""
    flags = {_key(message): message.flags for message in _messages(needed())}
    return sorted(
        _key(message)
        for message in _messages(read(spoken))
        if _translated(message) and not _like(message, flags.get(_key(message), set()))
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring the catalogues up to date, or check them; the exit code."""
    parser = ArgumentParser(prog="python -m reports.messages", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a catalogue is not as needed")
    check = parser.parse_args(arguments).check
    failed = False
    for spoken in (name for name in LANGUAGES if name != "en"):
        if not check:
            update(spoken)
        faults = {
            "missing": missing(spoken),
            "obsolete": obsolete(spoken),
            "untranslated": untranslated(spoken),
            "with other placeholders": unlike(spoken),
        }
        counted = ", ".join(f"{len(found)} {fault}" for fault, found in faults.items() if found)
        print(f"{spoken}: {len(list(_messages(read(spoken))))} messages, {counted or 'all translated'}")
        for fault, found in faults.items():
            for key in found if check else ():
                print(f"  {fault}: {key}")
        failed = failed or any(faults.values())
    return int(check and failed)


def _needed() -> Iterator[tuple[Id, str]]:
    """Each message as often as it is found, with its flag."""
    for path in sorted(CODE.glob("*.py")):
        if path.name not in ENGLISH:
            yield from ((id, BRACES) for id in _extracted("python", path, SPOKEN, {}))
    for path in sorted(TEMPLATES.glob("*.j2")):
        if path.name not in ENGLISH:
            yield from ((id, PERCENT) for id in _extracted("jinja2.ext:babel_extract", path, WRITTEN, OPTIONS))
    for feature in FEATURES:
        one = singular(feature.sentence)
        yield (feature.sentence if one == feature.sentence else (one, feature.sentence)), BRACES
    for text in texts(yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))):
        yield text, BRACES
    for claim in CLAIMS:
        yield from ((text, BRACES) for text in (claim.text, claim.measured) if text)
    yield from ((text, BRACES) for text in CANNOT.values())
    for advice in ADVICE.values():
        yield from ((text, BRACES) for text in (advice.title, advice.meaning, advice.do))


def _extracted(method: str, path: Path, keywords: dict[str, Any], options: dict[str, str]) -> Iterator[Id]:
    for _, id, _, _ in extract_from_file(method, path, keywords, options=options):
        yield id if isinstance(id, str) else (id[0], id[1])


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _strings(item)


def _messages(catalogue: Catalog) -> Iterator[Message]:
    """All but the header."""
    return (message for message in catalogue if message.id)


def _ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _strings_of(message: Message) -> tuple[str, ...]:
    return (message.string or "",) if isinstance(message.string, str | None) else tuple(message.string)


def _key(message: Message) -> str:
    return " | ".join(_ids(message))


def _keys(catalogue: Catalog) -> set[str]:
    return {_key(message) for message in _messages(catalogue)}


def _translated(message: Message) -> bool:
    return all(_strings_of(message)) and not message.fuzzy


def _like(message: Message, flags: set[str]) -> bool:
    """Whether each form has the marks of the message; that for one may name no number, as English has "once"."""
    ids, strings = _ids(message), _strings_of(message)
    for place, string in enumerate(strings):
        either = ids if len(strings) > 1 and place == 0 else ids[-1:]
        if not any(_marks(string) == _marks(id) for id in either) or not _filled(string, flags):
            return False
    return True


def _marks(text: str) -> Counter[str]:
    return Counter(MARKS.findall(text))


def _filled(text: str, flags: set[str]) -> bool:
    nothing: dict[str, str] = defaultdict(str)
    try:
        if BRACES in flags:
            text.format_map(nothing)
        if PERCENT in flags:
            text % nothing
    except (ValueError, TypeError, IndexError):
        return False
    return True


def _header(catalogue: Catalog) -> str:
    """The head of a file: what tools need to read it, and no date."""
    lines = [
        f"Language: {catalogue.locale_identifier}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Plural-Forms: {catalogue.plural_forms}",
    ]
    return 'msgid ""\nmsgstr ""\n' + "".join(f'"{line}\\n"\n' for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
