"""Where an output comes from: data, models, code, reasons, day and parameters, kept in the output itself.

In a Parquet file it is JSON under the key `holdfast` of the file's metadata, in a JSON file under the key `lineage`; beside a
CSV file it stands in `<name>.lineage.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.taxonomy import TAXONOMY_FILE, taxonomy
from models.tracking import code_version, data_hash

if TYPE_CHECKING:
    from models.causes import CauseModel
    from models.risk import RiskModel

Lineage = Mapping[str, Any]
KEY = b"holdfast"
CODE = Path(__file__).resolve().parents[1]
PACKAGES = ("features", "models", "pipeline")  # that a scoring runs through
TOLD = ("model_version", "code_version")  # names of things that the hashes beside them tell by content


def lineage_of(
    tables: Path, model: RiskModel, why: CauseModel, version: str | None, as_of: date, params: Mapping[str, Any]
) -> Lineage:
    """The lineage of a scoring from the contract tables in the folder `tables`; `version` of the model in the registry where
    it is known, `params` those that decide."""
    return {
        "as_of": str(as_of),
        "data_hash": data_hash(tables),
        "model_hash": model.content_hash,
        "cause_hash": why.content_hash,
        "model_version": version,
        "code_version": code_version(),
        "code_hash": code_hash(),
        "taxonomy_version": taxonomy().version,
        "params_hash": _hash(json.dumps(params, sort_keys=True, default=str).encode()),
    }


def code_hash() -> str:
    """Hash of the code and constants that a scoring runs through, installed or not, committed or not."""
    files = [path for package in PACKAGES for path in (CODE / package).rglob("*") if path.suffix in (".py", ".json")]
    parts = [path.relative_to(CODE).as_posix().encode() + path.read_bytes() for path in sorted(files)]
    return _hash(*parts, TAXONOMY_FILE.read_bytes())


def same(one: Lineage | None, other: Lineage | None) -> bool:
    """Whether both stand for the same content: versions that only name it do not count. None is like nothing."""
    if one is None or other is None:
        return False
    return {k: v for k, v in one.items() if k not in TOLD} == {k: v for k, v in other.items() if k not in TOLD}


def read_lineage(path: Path) -> Lineage | None:
    """The lineage of a Parquet, CSV or JSON file; None where there is no file, or none that is whole and has one."""
    try:
        if path.suffix == ".parquet":
            return _mapping(json.loads((pq.read_schema(path).metadata or {}).get(KEY, b"null")))
        if path.suffix == ".csv":
            return _mapping(json.loads(beside(path).read_text(encoding="utf-8"))) if path.exists() else None
        return _mapping(json.loads(path.read_text(encoding="utf-8")).get("lineage"))
    except (OSError, ValueError):
        return None


def with_lineage(table: pa.Table, lineage: Lineage | None) -> pa.Table:
    """The table with its lineage in the metadata that Parquet keeps."""
    if lineage is None:
        return table
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: json.dumps(lineage).encode()})


def beside(path: Path) -> Path:
    """The file with the lineage of a CSV file."""
    return path.with_name(f"{path.name}.lineage.json")


def _mapping(value: Any) -> Lineage | None:
    return value if isinstance(value, dict) else None


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]
