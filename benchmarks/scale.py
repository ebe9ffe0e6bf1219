"""How the feature matrix grows with the data: from a million order lines to a hundred million, DuckDB held to 4 GB.

Run `python -m benchmarks.scale`. Accounts grow with the lines, five hundred lines each over three years. Every size is
measured in processes of its own, in turns, and the best of the turns counts: other work on the machine can only
lengthen them. `--markdown` prints the table as `docs/scale.md` has it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from tqdm import tqdm

from benchmarks.matrix import CUTOFFS, PLAN, generate
from features.catalog import facts_of
from features.engines import connect, open_tables
from features.fold import Cutoffs, Fold
from features.matrix import build, features_of, write

LINES_AN_ACCOUNT = 500
SIZES = (1_000_000, 10_000_000, 100_000_000)


@dataclass(frozen=True)
class Run:
    """One building of the matrix: seconds of the clock and of the processor, GB of memory and of disk spilled to."""

    lines: int
    accounts: int
    features: int
    rows: int
    fold: float
    whole: float
    processor: float
    memory: float
    raw: float
    spilled: float


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=SIZES, help="order lines, a size each")
    parser.add_argument("--turns", type=int, default=2, help="how often each size is measured")
    parser.add_argument("--memory", default="4GB", help="DuckDB's memory limit")
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/scale.md")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(asdict(_run(given.only, given.lines[0], given.memory))))
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-scale-") as name:
        for lines in tqdm(given.lines, desc="generating", disable=None):
            generate(Path(name) / str(lines), lines, lines // LINES_AN_ACCOUNT)
        found = defaultdict(list)
        turns = [lines for _ in range(given.turns) for lines in given.lines]
        for lines in tqdm(turns, desc="measuring", disable=None):
            found[lines].append(_measured(Path(name) / str(lines), lines, given.memory))
    best = [min(runs, key=lambda run: run.whole) for runs in found.values()]
    for line in (_markdown if given.markdown else _plain)(best):
        print(line)


def _measured(folder: Path, lines: int, memory: str) -> Run:
    """A run in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--only", str(folder), "--lines", str(lines)]
    said = subprocess.run([*command, "--memory", memory], check=True, capture_output=True, text=True).stdout
    return Run(**json.loads(said.splitlines()[-1]))


def _run(folder: Path, lines: int, memory: str) -> Run:
    spilled = _Watched()
    with tempfile.TemporaryDirectory(dir=folder) as spill:
        connection = connect(memory, Path(spill))
        tables = open_tables(connection, folder)
        chosen = features_of(tables)
        started, used = time.perf_counter(), time.process_time()
        facts = {fact.name: fact for feature in chosen for fact in facts_of(feature)}.values()
        with Fold(connection, tables, facts, Cutoffs(CUTOFFS, PLAN.period, PLAN.label, PLAN.steps)) as fold:
            accounts = fold.accounts
            spilled.see(Path(spill))
        folded = time.perf_counter()
        rows = write(build(connection, tables, CUTOFFS, PLAN, date(2025, 1, 1)), folder / "matrix")
        whole, processor = time.perf_counter() - folded, time.process_time() - used
        spilled.see(Path(spill))
        connection.disconnect()
    return Run(
        lines,
        accounts,
        len(chosen),
        rows,
        folded - started,
        whole,
        processor,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        (folder / "orders.parquet").stat().st_size / 1e9,
        spilled.most / 1e9,
    )


class _Watched:
    """The most that a folder held of the times it was looked at."""

    most = 0

    def see(self, folder: Path) -> None:
        self.most = max(self.most, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def _plain(runs: list[Run]) -> list[str]:
    smallest = runs[0]
    return [
        f"{os.cpu_count()} processors",
        *(
            f"{run.lines:>12,} lines {run.accounts:>9,} accounts: fold {run.fold:7.1f} s, matrix {run.whole:7.1f} s, "
            f"{run.whole / run.lines * 1e6:.3f} us a line ({run.whole / run.lines / (smallest.whole / smallest.lines):.2f} x), "
            f"{run.memory:.2f} GB of memory, {run.raw:.2f} GB read, {run.spilled:.2f} GB spilled, {run.rows:,} rows"
            for run in runs
        ),
    ]


def _markdown(runs: list[Run]) -> list[str]:
    head = (
        "order lines",
        "accounts",
        "rows of the matrix",
        "fold, s",
        "whole matrix, s",
        "µs a line",
        "memory, GB",
        "on disk, GB",
    )
    rows = [
        (
            f"{run.lines:,}",
            f"{run.accounts:,}",
            f"{run.rows:,}",
            f"{run.fold:.1f}",
            f"{run.whole:.1f}",
            f"{run.whole / run.lines * 1e6:.2f}",
            f"{run.memory:.1f}",
            f"{run.raw:.1f}",
        )
        for run in runs
    ]
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    main()
