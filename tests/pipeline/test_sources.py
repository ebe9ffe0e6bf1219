"""What source.yaml may say: the name of a variable, and nothing that has to be kept secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import ConfigurationError
from pipeline import sources

SECRET = "s3cretword"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crm").mkdir()
    return tmp_path


def test_a_source_without_the_file_is_one_of_files(folder: Path) -> None:
    assert sources.connection("crm", folder) is None


def test_the_name_of_the_variable(folder: Path) -> None:
    (folder / "crm" / "source.yaml").write_text("connection: {url_from: HOLDFAST_CRM_URL}\n", encoding="utf-8")
    assert sources.connection("crm", folder) == sources.Connection(url_from="HOLDFAST_CRM_URL")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"connection: {{url_from: 'postgresql://u:{SECRET}@h/d'}}",
            r"connection\.url_from: .*must be the name of an environment",
        ),
        (
            f"connection: {{url_from: {SECRET}}}",
            r"must be the name of an environment variable, in capitals, never the URL itself",
        ),
        (f"connection: {{url: 'postgresql://u:{SECRET}@h/d'}}", r"connection\.url: Extra inputs are not permitted"),
        (f"connection: {{url_from: A, password: {SECRET}}}", r"connection\.password: Extra inputs are not permitted"),
        (f"connection: {SECRET}", r"connection: Input should be a valid dictionary"),
        (f"connection: [{SECRET}", r"source\.yaml, line 1: this is not YAML"),
        ("", r"the file: Input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_told_without_what_stands_there(folder: Path, text: str, message: str) -> None:
    (folder / "crm" / "source.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        sources.connection("crm", folder)
    assert SECRET not in str(caught.value)
    assert "connection: {url_from: HOLDFAST_CRM_URL}" in str(caught.value)


def test_sql_that_is_not_utf8(folder: Path) -> None:
    query = folder / "crm" / "orders.sql"
    query.write_bytes("SELECT 'é'".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"orders\.sql is not UTF-8 \(byte 9\)\. Save it as UTF-8"):
        sources.text_of(query)
