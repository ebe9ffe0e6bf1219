"""The tables of a source, opened: what DuckDB cannot do is told in words."""

from __future__ import annotations

import pytest

from features.errors import ConfigurationError
from pipeline.layout import Layout
from pipeline.tables import opened


def test_more_than_the_memory_that_is_allowed_says_what_to_raise(small_project):
    layout = Layout(small_project, "contract")
    with (
        pytest.raises(
            ConfigurationError, match=r"takes more than featurize\.memory \(20MB\)\. Raise it in params\.yaml"
        ),
        opened(layout, "20MB") as (connection, _),
    ):
        connection.con.execute("SELECT length(list(range)::VARCHAR) FROM range(100000000)").fetchall()
