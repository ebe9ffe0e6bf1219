"""What the tests of parts and of the matrix watch."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that parts are written into while they wait, as they come."""
    written: list[Path] = []
    new_file = pa.ipc.new_file

    def watched(path: str, schema: pa.Schema) -> pa.RecordBatchFileWriter:
        written.append(Path(path))
        return new_file(path, schema)

    monkeypatch.setattr(pa.ipc, "new_file", watched)
    return written
