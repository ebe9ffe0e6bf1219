"""What a stage reads of another one: a file that is missing or damaged is told with the command that makes it again."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ConfigurationError, ContractError
from models.lineage import read_lineage, same

MADE_BY = {  # what lies in a source's folder of data/ or artifacts/: the stage that writes it
    "tables": "ingest",
    "matrix": "featurize",
    "model": "train",
    "causes": "train",
    "reasons.json": "train",
    "predictions.parquet": "evaluate",
    "metrics.json": "evaluate",
    "scores.parquet": "score",
    "live.json": "score",
    "history": "score",
    "explanations.parquet": "explain",
    "evidence.parquet": "explain",
    "previous.parquet": "explain",
    "similar.parquet": "explain",
    "decisions": "decide",
    "monitoring.json": "monitor",
}
NOT_THE_FILE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EMFILE, errno.ENOMEM)


class Damage(Exception):
    """To be raised within `reading` where a file can be read and is not what it should be."""


def read_frame(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A Parquet file, or some columns of it. Raises as `reading` does."""
    with reading(path):
        chosen = None if columns is None else list(columns)
        frame: pd.DataFrame = pd.read_parquet(path, columns=chosen, page_checksum_verification=True)
    return frame


def column_names(path: Path) -> list[str]:
    """The columns of a Parquet file. Raises as `reading` does."""
    with reading(path):
        names: list[str] = pq.read_schema(path).names
    return names


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises as `reading` does."""
    with reading(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise Damage(f"it holds no object but {type(content).__name__}")
    return content


def require_same_scoring(scores: Path, paths: Sequence[Path]) -> None:
    """Raise ConfigurationError for a file that tells of another scoring than `scores` does, as it is where a stage was left
    out or killed before it had written all; one that is missing or damaged is told by who reads it."""
    expected = read_lineage(scores)
    for path in paths:
        found = read_lineage(path)
        if found is not None and found != expected and not same(found, expected):
            raise ConfigurationError(
                f"{path} tells of another scoring than {scores} ({found.get('as_of')}, data {found.get('data_hash')}, model "
                f"{found.get('model_hash')}). Run {_command(path)} again."
            )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Translate what goes wrong while a file, or the files of a folder, are read.

    Raises ConfigurationError if it is missing, ContractError if it is damaged; both say which command makes it again.
    """
    try:
        yield
    except FileNotFoundError:
        raise missing(path) from None
    except (pa.ArrowException, json.JSONDecodeError, UnicodeDecodeError, OSError, Damage) as error:
        if getattr(error, "errno", None) in NOT_THE_FILE:
            raise
        raise damaged(path, str(error)) from None


def missing(path: Path) -> ConfigurationError:
    """The error to raise where `path` is not there."""
    return ConfigurationError(f"{path} is missing. Run {_command(path)} first.")


def damaged(path: Path, why: str) -> ContractError:
    """The error to raise where `path` cannot be read as what it should be."""
    line = " ".join(why.split())[:200].rstrip(".")
    return ContractError(
        f"{path} is damaged: {line}. Nothing was made of it. Run {_command(path)} again; if it comes back, check the disk."
    )


def _command(path: Path) -> str:
    """The command that makes a file; what of a source lies in its folder tells the source too."""
    parts = path.parts
    for place in range(len(parts) - 1, 0, -1):
        if (stage := MADE_BY.get(parts[place])) is not None and place > 1 and parts[place - 2] in ("data", "artifacts"):
            option = f" --source {parts[place - 1]}"
            if stage == "ingest":
                option += f" --data {Path(*parts[:place]) / 'raw'}"
            if parts[place] == "history" and place + 1 < len(parts):
                option += f" --as-of {parts[place + 1]} --force"
            return f"`holdfast {stage}{option}`"
    return "the command that wrote it"
