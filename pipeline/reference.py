"""The reference in `docs/`, written from the declarations: `make docs`.

Features and tables, reasons, parameters, commands: each page says what it was written from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from typer.main import get_command

from features.documentation import WRITTEN, features_page, row, tables_page
from features.periods import Duration
from models.reason_codes import reasons_page
from pipeline.cli import app
from pipeline.params import Params

ROOT = Path(__file__).resolve().parents[1]
_KINDS: Mapping[Any, str] = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    str: "text",
    date: "date",
    Duration: "duration: `3 months`, `90 days`",
}
_SIZE = "size: `2GB`, `512MB`"
_TIME = "time: `10m`, `2h`, or seconds as in `90`"
_BOUNDS: tuple[tuple[type, str, str], ...] = (
    (Ge, "ge", "at least"),
    (Gt, "gt", "above"),
    (Le, "le", "at most"),
    (Lt, "lt", "below"),
)


def parameters_page() -> str:
    """The page of parameters: of each its value, what it may be and the comment beside it in `params.yaml`."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    values, comments = yaml.safe_load(text), dict(comments_of(text))
    lines = [
        "# Parameters",
        "",
        WRITTEN.format(source="`params.yaml` and its checks in `pipeline/params.py`"),
        "",
        "A section is spelled as the stage that reads it. `sources/<name>/params.yaml` overrides single values for one "
        "source, a mapping as a whole; what is unknown or out of range is refused before a stage starts.",
        "",
        f"`sources`: {comments['sources']}.",
    ]
    for section, field in Params.model_fields.items():
        model = field.annotation
        if not isinstance(model, type) or not issubclass(model, BaseModel):
            continue
        lines += ["", f"## {section}", ""]
        if said := comments.get(section):
            lines += [f"{said[0].upper()}{said[1:]}.", ""]
        lines += [
            "| parameter | value | may be | what |",
            "|---|---|---|---|",
            *(
                row(
                    [
                        f"`{name}`",
                        f"`{_value(values[section][name])}`",
                        _allowed(own),
                        comments.get(f"{section}.{name}", ""),
                    ]
                )
                for name, own in model.model_fields.items()
            ),
        ]
    return "\n".join(lines) + "\n"


def comments_of(text: str) -> Iterator[tuple[str, str]]:
    """(section or section.parameter, its comment), with what stands beside its own lines below joined by blanks.

    YAML keeps no comments, so lines are read as they stand: sections at the margin, parameters two blanks in.
    """
    name, section = "", ""
    said: list[str] = []
    for line in text.splitlines()[1:]:
        match = re.match(r"( *)(\w+):", line)
        if match and len(match.group(1)) <= 2:
            yield name, " ".join(said)
            section = section if match.group(1) else match.group(2)
            name, said = (f"{section}.{match.group(2)}" if match.group(1) else section), []
        comment = re.search(r"(?:^|\s)# ?(.*)$", line)
        if comment:
            said.append(comment.group(1).strip())
    yield name, " ".join(said)


def _value(value: Any) -> str:
    if isinstance(value, dict | list):
        return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip()
    return (
        "null"
        if value is None
        else f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else repr(value)
        if value == ""
        else str(value)
    )


def _allowed(field: FieldInfo) -> str:
    options = get_args(field.annotation)
    optional = type(None) in options
    kind = options[0] if optional else field.annotation
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind in (int, str) and any(isinstance(check, BeforeValidator) for check in field.metadata):
        said = _TIME if kind is int else _SIZE
    elif kind in _KINDS:
        said = _KINDS[kind]
    elif get_origin(kind) is Literal:
        said = " or ".join(f"`{choice}`" for choice in get_args(kind))
    else:
        said = "list" if get_origin(kind) in (list, tuple) else "mapping"
    bounds = [
        f"{words} {getattr(check, name):g}"
        for check in field.metadata
        for type_, name, words in _BOUNDS
        if isinstance(check, type_)
    ]
    if any(isinstance(check, MinLen) for check in field.metadata):
        bounds.append("not empty")
    return ", ".join([said, *bounds]) + (", or null" if optional else "")


def commands_page() -> str:
    """The page of commands: of each what it does, its options, and whether `dvc.yaml` runs it as a stage."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    lines = [
        "# Commands",
        "",
        WRITTEN.format(source="`pipeline/cli.py` and `dvc.yaml`"),
        "",
        "`.venv/bin/holdfast COMMAND --help` says the same. " + str(app.info.help),
        "",
        "A stage is run by `holdfast run` as far as its inputs or its parameters have changed.",
    ]
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        lines += ["", f"## holdfast {name}", "", re.sub(r"\s+", " ", command.help)]
        if stage := stages.get(name):
            sections = ", ".join(f"`{section}`" for section in stage["params"])
            lines += ["", f"A stage; sections of `params.yaml` that it depends on: {sections}."]
        lines += [
            "",
            "| option | default | what |",
            "|---|---|---|",
            *(row([f"`{option.opts[0]}`", _default(option), option.help]) for option in command.params),
        ]
    return "\n".join(lines) + "\n"


def _default(option: Any) -> str:
    if option.required:
        return "must be given"
    return "" if option.default in (None, False) else f"`{option.default}`"


PAGES: Mapping[str, Callable[[], str]] = {
    "features.md": features_page,
    "tables.md": tables_page,
    "reason_codes.md": reasons_page,
    "parameters.md": parameters_page,
    "commands.md": commands_page,
}


def write() -> None:
    """Write all pages into `docs/`."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
