"""Kinds of values in `params.yaml` that are written as text: durations, times and sizes, each refused with how to write it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from features.errors import ConfigurationError
from features.periods import Duration


def _duration(value: Any) -> Duration:
    try:
        return Duration.parse(str(value))
    except ConfigurationError as error:  # told with the parameter's name, beside all else that is wrong
        raise ValueError(str(error)) from None


def _some_time(duration: Duration) -> Duration:
    if not duration.count:
        raise ValueError("must be at least one day")
    return duration


DurationField = Annotated[Duration, BeforeValidator(_duration)]
SomeTime = Annotated[DurationField, AfterValidator(_some_time)]


def _seconds(value: Any) -> int:
    match = re.fullmatch(r"\s*(\d+)\s*([smh]?)\s*", str(value))
    if not match or not int(match.group(1)):
        raise ValueError("must be a time above zero: '10m', '2h', or seconds as in '90'")
    return int(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600}[match.group(2)]


Seconds = Annotated[int, BeforeValidator(_seconds)]


def _size(value: Any) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*[KMGT]i?B", str(value), re.IGNORECASE):
        raise ValueError("must be a size: '2GB' or '512MB'")
    return str(value)


Size = Annotated[str, BeforeValidator(_size)]
