"""Lines on standard error: plain, or JSON objects with the fields that the code gave."""

from __future__ import annotations

import json
import logging
import warnings
from datetime import datetime, timedelta

import pytest

from pipeline import logs


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:], root.level = before


def test_plain_lines(capsys):
    logs.set_up(logs.TEXT)
    logging.getLogger("holdfast").info("scored %s", 3, extra={"counts": {"accounts": 3}})
    logging.getLogger("other").info("chatter")
    assert capsys.readouterr().err == "scored 3\n"


def test_an_object_a_line(capsys):
    logs.set_up(logs.JSON)
    log = logging.getLogger("holdfast")
    log.info("scored %s\nof %s", 3, "Ačme", extra={"counts": {"accounts": 3}, "day": datetime(2024, 3, 31)})
    log.warning("odd")
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "holdfast", "scored 3\nof Ačme")
    assert first["fields"] == {"counts": {"accounts": 3}, "day": "2024-03-31 00:00:00"}
    assert datetime.fromisoformat(first["time"]).utcoffset() == timedelta(0)
    assert (second["level"], "fields" in second) == ("warning", False)
    assert third["raised"].endswith("ValueError: broken")


def test_warnings_are_lines_too(capsys):
    logs.set_up(logs.JSON)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("take care", UserWarning, stacklevel=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert "UserWarning: take care" in json.loads(line)["message"]
