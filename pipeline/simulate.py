"""Stage simulate: a dealer market in contract form, and apart from it the truth."""

from __future__ import annotations

import logging
from pathlib import Path

from market.scenarios import SCENARIOS
from market.simulate import simulate, write
from pipeline.params import Simulate

log = logging.getLogger("holdfast")


def run(params: Simulate, out: Path) -> None:
    """Write the tables of a simulated market into `out` and `truth.parquet` beside it."""
    tables = simulate(params.accounts, params.periods, params.seed, params.start, SCENARIOS[params.scenario])
    write(tables, out, out.parent / "truth.parquet")
    log.info("simulate: %s orders' lines of %s accounts; wrote %s", len(tables["orders"]), params.accounts, out)
