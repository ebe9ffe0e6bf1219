"""Files nobody would send on purpose: each is ingested exactly, or refused by name, and what lay there stays."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import HoldfastError
from pipeline.ingest import ingest
from pipeline.params import Ingest

PARAMS = Ingest(earliest=date(1990, 1, 1), latest=date(2024, 12, 31), quarantine_limit=1.0, memory="256MB")
COLUMNS = ["order_id", "account_id", "ordered_at", "amount", "product_id"]
ODD = [
    "",
    " ",
    "\x00",
    "NULL",
    "ten",
    "1e400",
    "-0",
    "1,5",
    "0x10",
    "99999999999999999999",
    "2024-02-30",
    "0001-01-01",
    "9999-12-31",
]
ODD += [
    "infinity",
    "2024-01-01T00:00:00+99",
    "\ufeff",
    "\u202e",
    "a" * 70_000,
    '"',
    "a\nb",
    "';--",
    "=1+1",
    "é",
    "NaN",
    "True",
]

ids = st.integers(0, 30).map(lambda number: f"Ă{number}")
days = st.dates(date(2000, 1, 1), date(2024, 12, 30)).map(str)
amounts = st.decimals(-10_000, 10_000, places=2).map(str)
sound = st.tuples(ids, ids, days, amounts, ids).map(list)
tables = st.lists(sound, min_size=1, max_size=6, unique_by=lambda row: (row[0], row[4]))


def as_csv(header: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(header: list[str], rows: list[list[str]], types: list[pa.DataType] | None = None) -> bytes:
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(header))]
    if types is not None:
        arrays = [array.cast(kind) for array, kind in zip(arrays, types, strict=True)]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=header), sink)
    return sink.getvalue()


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes, bool]:
    """A file of orders and its suffix: sound rows, then one to three things go wrong with cells, structure or bytes."""
    rows, header = draw(tables), list(COLUMNS)
    for _ in range(draw(st.integers(0, 2))):
        how = draw(st.sampled_from(["cell", "header", "twice", "lost", "empty", "repeat"]))
        if how == "cell":
            draw(st.sampled_from(rows))[draw(st.integers(0, 4))] = draw(st.sampled_from(ODD) | st.text(max_size=8))
        elif how == "header":
            header[draw(st.integers(0, len(header) - 1))] = draw(st.sampled_from(ODD) | st.text(max_size=8))
        elif how == "twice":
            header[draw(st.integers(0, len(header) - 1))] = (
                draw(st.sampled_from(header)).swapcase() if draw(st.booleans()) else header[0]
            )
        elif how == "lost":
            header = header[:4] if draw(st.booleans()) else header
        elif how == "empty":
            draw(st.sampled_from(rows))[draw(st.integers(0, 4))] = ""
        else:
            rows.append(list(draw(st.sampled_from(rows))))
    suffix = draw(st.sampled_from(["csv", "parquet"]))
    try:
        if suffix == "parquet":
            odd = st.sampled_from(
                [pa.string(), pa.large_string(), pa.binary(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
            )
            content = as_parquet(header, rows, [draw(odd) for _ in header])
        else:
            if draw(st.integers(0, 3)) == 0:  # ragged
                row = draw(st.sampled_from(rows))
                row[:] = row[: draw(st.integers(0, 4))] if draw(st.booleans()) else [*row, "more"]
            content = as_csv(header, rows)
    except (UnicodeEncodeError, pa.ArrowException):
        content = b"PAR1"
    harm = draw(st.sampled_from(["none", "none", "cut", "bytes", "latin", "utf16", "nul", "tail"]))
    place = draw(st.integers(0, len(content)))
    if harm == "cut":
        content = content[:place]
    elif harm == "bytes":
        content = content[:place] + draw(st.binary(min_size=1, max_size=9)) + content[place + draw(st.integers(0, 9)) :]
    elif harm == "latin":
        content = content.decode("utf-8", "replace").encode("latin-1", "replace") + "é".encode("latin-1")
    elif harm == "utf16":
        content = content.decode("utf-8", "replace").encode("utf-16")
    elif harm == "nul":
        content = content[:place] + b"\x00" * draw(st.integers(1, 40)) + content[place:]
    elif harm == "tail":
        content += draw(st.sampled_from([b'"', b"\n\n\n", b"\r", b",,,,\n", b"x"]))
    return suffix, content, harm == "none" or suffix == "csv"


def plain(suffix: str, content: bytes) -> list[dict[str, Any]] | None:
    """What a plain reader makes of it, as ingest should; None where the reader and ingest may differ in what they take."""
    if suffix == "parquet":
        try:
            rows = pq.read_table(io.BytesIO(content)).to_pylist()
        except (pa.ArrowException, OSError, ValueError):
            return None
        return [
            {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()} for row in rows
        ]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    header, *lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    return [dict(zip(header, line, strict=False)) for line in lines if line]


def expected(row: dict[str, Any]) -> tuple[Any, ...]:
    cells = [row.get(name) if str(row.get(name) or "").strip(" ") else None for name in COLUMNS]
    when = datetime.fromisoformat(cells[2]) if cells[2] else None
    if when is not None and when.tzinfo is not None:
        when = when.astimezone(UTC).replace(tzinfo=None)
    amount = round(Decimal(cells[3]), 4) if cells[3] else None
    return cells[0], cells[1], when, amount, cells[4]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "sources" / "contract").mkdir(parents=True)
    (folder / "raw").mkdir()
    return folder


FEW = settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
MANY = settings(FEW, max_examples=1000)


@FEW
@given(file=files())
def test_a_file_is_ingested_exactly_or_refused_by_name(project: Path, file: tuple[str, bytes, bool]) -> None:
    _ingested_or_refused(project, file)


@pytest.mark.slow
@MANY
@given(file=files())
def test_so_are_a_thousand_files(project: Path, file: tuple[str, bytes, bool]) -> None:
    _ingested_or_refused(project, file)


def _ingested_or_refused(project: Path, file: tuple[str, bytes, bool]) -> None:
    suffix, content, whole = file
    out = project / "data" / "contract"
    (out / "tables").mkdir(parents=True, exist_ok=True)
    (out / "tables" / "orders.parquet").write_bytes(b"of another day")
    for path in (project / "raw").iterdir():
        path.unlink()
    (project / "raw" / f"orders.{suffix}").write_bytes(content)
    refused = None
    try:
        ingest("contract", project / "raw", out, PARAMS, project)
    except HoldfastError as error:
        refused = error
    if refused is not None:
        assert "orders" in str(refused)
        assert refused.exit_code in (1, 2, 4)
        assert (out / "tables" / "orders.parquet").read_bytes() == b"of another day"
        assert [path.name for path in out.parent.iterdir()] == ["contract"]
        return
    if not whole:  # Parquet has no checksum of its pages: a changed byte may read as another value
        return
    found = [*pq.read_table(out / "tables" / "orders.parquet").to_pylist()]
    if (aside := out / "quarantine" / "orders.parquet").exists():
        found += pq.read_table(aside).to_pylist()
    rows = plain(suffix, content)
    assert rows is not None, "ingest read what a plain reader does not"
    told = sorted([tuple(row.get(name) for name in COLUMNS) for row in found], key=repr)
    assert told == sorted(map(expected, rows), key=repr)
