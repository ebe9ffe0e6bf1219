"""What the command line says of its work, on standard error: plain lines, or JSON objects for whoever collects them."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Any

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """A record as one JSON object a line: time (UTC, ISO 8601), level, logger, message, `fields`, and what was raised."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if fields := {name: value for name, value in vars(record).items() if name not in _PLAIN}:
            told["fields"] = fields
        if record.exc_info:
            told["raised"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)


def set_up(format: str) -> None:
    """Send the log of all loggers to standard error; Python's warnings too where it is JSON, so that each line is."""
    handler = logging.StreamHandler(sys.stderr)
    if format == JSON:
        handler.setFormatter(JsonLines())
    logging.captureWarnings(format == JSON)
    # Said on import wherever PySpark is installed, by pandera, which has no business with it here.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("holdfast").setLevel(logging.INFO)
