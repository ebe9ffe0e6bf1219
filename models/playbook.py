"""What to do about an account: the step for its reason and its class, as `reasons.yaml` has it under `playbook`.

A step holds for a reason whatever the class; a class changes single fields of it. So the file has no copies, and a company
writes its own steps without code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigurationError
from models.shares import UNEXPLAINED
from models.taxonomy import TAXONOMY_FILE, taxonomy

AccountClass = Literal["EI", "EII", "EIII", "EIV"]
Action = Literal["visit", "call", "finance", "product", "staff", "offer", "promotion"]
Document = Literal["000", "001", "002", "003", "004"]
CLASSES: tuple[str, ...] = get_args(AccountClass)
ACTIONS: tuple[str, ...] = get_args(Action)
LONGEST = 300  # characters of a text: it stands in a table


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    if value != value.strip() or "\n" in value:
        raise ValueError("must be on one line, without blanks around it")
    return value


def _sentences(value: str) -> str:
    if not value.endswith("."):
        raise ValueError("must end with a full stop")
    if len(re.findall(r"[.!?](?=\s|$)", value)) > 2:
        raise ValueError("must be one or two sentences")
    if set(value) & set("{}"):
        raise ValueError("must not hold braces: they stand for values elsewhere")
    return value


Text = Annotated[str, Field(max_length=60), AfterValidator(_text)]
Sentences = Annotated[str, Field(max_length=LONGEST), AfterValidator(_text), AfterValidator(_sentences)]
Days = Annotated[int, Field(ge=1, le=365, strict=True)]
Hours = Annotated[float, Field(gt=0, le=80, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]
Documents = Annotated[tuple[Document, ...], Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfClass(_Entry):
    """Fields of a step that differ for a class; None: as the step has it."""

    do: Sentences | None = None
    owner: Text | None = None
    within: Days | None = None
    action: Action | None = None
    hours: Hours | None = None
    documents: Documents | None = None
    kept: Part | None = None


class _OfReason(_Entry):
    do: Sentences
    owner: Text
    within: Days
    action: Action
    hours: Hours
    documents: Documents
    kept: Part = 1.0
    EI: _OfClass = _OfClass()
    EII: _OfClass = _OfClass()
    EIII: _OfClass = _OfClass()
    EIV: _OfClass = _OfClass()


class _Class(_Entry):
    manner: Sentences
    documents: Documents
    within_most: Days | None = None
    hours_most: Hours | None = None


class _File(_Entry):
    by_class: dict[AccountClass, _Class]
    by_reason: dict[str, _OfReason]

    @model_validator(mode="after")
    def _complete(self) -> _File:
        for part, wanted, given in (
            ("by_class", CLASSES, self.by_class),
            ("by_reason", _reasons(), self.by_reason),
        ):
            if missing := [name for name in wanted if name not in given]:
                raise ValueError(f"{part} has nothing for {missing[0]}; it must have {', '.join(wanted)}")
            if other := [name for name in given if name not in wanted]:
                raise ValueError(f"{part} has {other[0]!r}, which is none of {', '.join(wanted)}")
        return self


@dataclass(frozen=True)
class Step:
    """What to do: `do` and, where the class is known, its `manner`, both in English.

    `within`: days from the as_of; `hours` of a manager's time; `kept`: part of the chance of keeping an account
    (`money.kept`) that can be hoped for, 0 to 1; `documents` that it follows, in order.
    """

    do: str
    manner: str | None
    owner: str
    within: int
    action: str
    hours: float
    documents: tuple[str, ...]
    kept: float


@dataclass(frozen=True)
class Playbook:
    """The steps by (reason, class); class None where it is not known."""

    steps: Mapping[tuple[str, str | None], Step]

    def step(self, reason: str, account_class: str | None) -> Step:
        """The step for an account. Raises ConfigurationError for an unknown reason or class."""
        if (reason, account_class) not in self.steps:
            raise ConfigurationError(
                f"The playbook has no step for reason {reason!r} and class {account_class!r}. Reasons are "
                f"{', '.join(_reasons())}; classes {', '.join(CLASSES)}, or None where it is not known."
            )
        return self.steps[reason, account_class]


@cache
def playbook(path: Path = TAXONOMY_FILE) -> Playbook:
    """Read `playbook` of `reasons.yaml`.

    Raises ConfigurationError, with all that is wrong, where it stands and what is allowed, if the file is not YAML, or
    lacks or misspells a reason, a class or a field, or a value is out of range.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict) or "playbook" not in content:
        raise ConfigurationError(f"{path} has no `playbook`. Add one, with by_class and by_reason.")
    try:
        read = _File.model_validate(content["playbook"])
    except ValidationError as error:
        told = [f"  {'.'.join(map(str, ('playbook', *item['loc'])))}: {_told(item)}" for item in error.errors()]
        raise ConfigurationError("\n".join([f"{path} is not valid:", *told, "Correct these values."])) from None
    return Playbook(
        {
            (reason, account_class): _resolved(step, account_class, read.by_class)
            for reason, step in read.by_reason.items()
            for account_class in (None, *CLASSES)
        }
    )


def _reasons() -> tuple[str, ...]:
    return (*taxonomy().codes, UNEXPLAINED)


def _resolved(step: _OfReason, account_class: str | None, classes: Mapping[Any, _Class]) -> Step:
    """The fields of the step; those of the class for this reason instead; else at most what the class takes."""
    plain = {name: getattr(step, name) for name in _OfClass.model_fields}
    if account_class is None:
        return Step(**plain, manner=None)
    values: _Class = classes[account_class]
    for name, most in (("within", values.within_most), ("hours", values.hours_most)):
        if most is not None:
            plain[name] = min(plain[name], most)
    own = getattr(step, account_class).model_dump(exclude_none=True)
    merged = plain | own
    documents = tuple(sorted({*merged.pop("documents"), *values.documents}))
    return Step(**merged, documents=documents, manner=values.manner)


def _told(item: Any) -> str:
    """What is wrong, what was got and what is allowed; hints where YAML itself misleads."""
    loc = item["loc"]
    if item["type"] == "extra_forbidden":
        known = _Class if loc[0] == "by_class" else _OfReason if len(loc) == 3 else _OfClass
        return f"there is no such field. Fields are {', '.join((_File if len(loc) == 1 else known).model_fields)}"
    if item["type"] == "missing":
        return "is missing"
    hint = ' Write document numbers in quotes, as in ["003"].' if "documents" in loc else ""
    if loc and loc[-1] == "[key]":
        hint = f" Classes are {', '.join(CLASSES)}."
    message = item["msg"].removeprefix("Value error, ")
    got = "" if item["type"] == "value_error" and isinstance(item["input"], dict) else f" (got {item['input']!r})."
    return f"{message}{got}{hint}"
