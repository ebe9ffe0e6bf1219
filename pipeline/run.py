"""The whole pipeline by DVC: brings the raw data into the project, runs the stages, says what was found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import ConfigurationError, HoldfastError
from models.taxonomy import taxonomy
from pipeline import extract, sources
from pipeline.artifacts import read_frame, read_json
from pipeline.layout import Layout
from pipeline.params import Params

EXIT_FILE = "HOLDFAST_EXIT_FILE"  # where a stage leaves its exit code, if set


class StageError(HoldfastError):
    """A stage failed and has said why; its exit code is that of the stage."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run(layout: Layout, params: Params, data: Path | None) -> str:
    """Run `dvc repro` up to the report of one source; returns what it found, in plain words.

    A source with a connection is extracted first: DVC cannot see a database, but the files that come of it.
    """
    if layout.source not in params.sources:
        raise ConfigurationError(
            f"{layout.source!r} is not among the sources in params.yaml ({', '.join(params.sources)}). "
            "Add it there, and its SQL under sources/."
        )
    if sources.connection(layout.source, layout.root / "sources") is not None:
        if data is not None:
            raise ConfigurationError(
                f"{layout.source!r} takes its data from the database that its {sources.FILE} names. Leave the folder out."
            )
        extract.run(layout, params.ingest)
    elif data is not None:
        link(data, layout.raw)
    elif layout.source != "simulated" and not layout.raw.exists():
        raise ConfigurationError(
            f"Where are the raw files of {layout.source!r}? Give the folder: "
            f"make run SOURCE={layout.source} DATA=path/to/folder"
        )
    layout.feedback.mkdir(parents=True, exist_ok=True)  # DVC refuses a dependency that is not there
    with TemporaryDirectory(prefix="holdfast-") as folder:
        said = Path(folder) / "exit_code"  # DVC turns every stage's exit code into its own
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", f"report@{layout.source}"],
            cwd=layout.root,
            env={**os.environ, EXIT_FILE: str(said)},
        )
        code = int(said.read_text()) if said.exists() else 3
    if done.returncode:
        raise StageError("The pipeline stopped; the stage named above says why.", code)
    return found(layout, str(params.featurize.horizon))


def link(data: Path, raw: Path) -> None:
    """Make `raw` point to the user's folder `data`, unless it is that folder already."""
    if not data.is_dir():
        raise ConfigurationError(f"{data} is not a folder. Give the folder that holds the raw files.")
    target = data.resolve()
    if raw.resolve() == target:
        return
    raw.parent.mkdir(parents=True, exist_ok=True)
    if raw.is_symlink():
        raw.unlink()
    elif raw.exists():
        raise ConfigurationError(f"{raw} is a folder of its own, not a link. Move it away, then run again.")
    raw.symlink_to(target, target_is_directory=True)


def found(layout: Layout, horizon: str) -> str:
    """What the run found and where it is, in plain words."""
    scores = read_frame(layout.scores)
    metrics = read_json(layout.metrics)
    active = scores[~scores["lapsed"]]
    names = taxonomy().names
    first = active.loc[active["naming"] == "named", "reason_1"].value_counts()
    known = list(first.index)
    two, guesses = (int((active["naming"] == naming).sum()) for naming in ("candidates", "untried"))
    auc = metrics["population"]["all"]["risk"]["mean"]["auc"]
    rival = metrics["population"]["all"]["bg_nbd"]["mean"]["auc"]["value"]
    lines = [
        "",
        f"{layout.source}, as of {scores['as_of'].iloc[0]}: {len(active):,} active accounts (ordered within {horizon}), "
        f"{len(scores) - len(active):,} lapsed.",
        f"About {active['risk'].sum():,.0f} of the active ones will not order in the next {horizon}; "
        f"{active['expected_loss'].sum():,.0f} of yearly purchases are at risk.",
        (
            f"Most often named: {names[known[0]]['en'].lower()} ({first[known[0]]:,} accounts)"
            if known
            else "No documented reason is sure enough to be named on this data"
        )
        + (f"; of {two:,} accounts two reasons are candidates" if two else "")
        + (f"; of {guesses:,} one is a guess: nothing like it happened before." if guesses else "."),
        f"On past cut-offs it ranked a lost account above a kept one {auc['value']:.1%} of the time "
        f"({auc['low']:.1%} to {auc['high']:.1%}; BG/NBD {rival:.1%}). {'Champion' if metrics['decision']['champion'] else 'Not champion'}: {metrics['decision']['why']}.",
        f"Scores: {layout.scores.relative_to(layout.root)}",
        *_worth_doing(layout),
        f"Report: open {(layout.report / 'index.html').relative_to(layout.root)}",
    ]
    return "\n".join(lines)


def _worth_doing(layout: Layout) -> list[str]:
    """What the worklist comes to."""
    listed = read_frame(layout.decisions / "worklist.parquet", ["decision", "hours", "profit"])
    do = listed[listed["decision"] == "do"]
    if do.empty:
        return ["Worklist: empty, for no action earns more than it costs within the time there is."]
    return [
        f"Worklist: {len(do):,} accounts, {do['hours'].sum():,.1f} hours, expected to earn {do['profit'].sum():,.0f} more than "
        "they cost."
    ]
