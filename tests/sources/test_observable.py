"""Which documented reasons each source can show is what `docs/sources.md` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.engines import connect, open_tables
from features.matrix import features_of
from models.taxonomy import observable, taxonomy
from pipeline.ingest import ingest
from pipeline.params import load

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("source", "folder"), [("iowa", "iowa"), ("iowa_state", "iowa"), ("online_retail_ii", "online_retail_ii")]
)
def test_the_page_says_what_can_be_seen(real_data: Path, tmp_path: Path, source: str, folder: str) -> None:
    ingest(source, real_data / folder, tmp_path, load(ROOT, source).ingest, ROOT)
    connection = connect("1GB")
    seen = set(observable([feature.name for feature in features_of(open_tables(connection, tmp_path / "tables"))]))
    connection.disconnect()
    page = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    head, *rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    column = head.index(source)
    said = {row[0].strip("`"): row[column] for row in rows if row[0].startswith("`")}
    assert set(said) == set(taxonomy().codes)
    assert {code for code, words in said.items() if words != "cannot be seen"} == seen
