"""Processes that kill themselves at a step, and runs of the scoring job in such; helpers of tests."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

STEPS = ((os, "replace"), (os, "rename"), (os, "unlink"), (os, "mkdir"), (shutil, "rmtree"))


def kill_at(chosen: int | str) -> list[str]:
    """Let the process be killed before a step that changes the folders (within it, if it removes a tree): so many steps
    on, or the first that is written so, as "rename .matrix.writing"; returns a list of the steps done so far."""
    done: list[str] = []

    def watched(step: Callable[..., Any], name: str) -> Callable[..., Any]:
        def perform(*given: Any, **more: Any) -> Any:
            step_now = f"{name} {Path(given[0]).name}"
            if chosen in (len(done), step_now):
                if name == "rmtree":
                    for file in [path for path in Path(given[0]).rglob("*") if path.is_file()][:1]:
                        remove(file)
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(step_now)
            return step(*given, **more)

        return perform

    remove = os.unlink
    for module, name in STEPS:
        setattr(module, name, watched(getattr(module, name), name))
    return done


@contextmanager
def prepared(folder: Path, *given: Any, **more: Any) -> Iterator[Any]:
    """In the place of `scoring`: one that was worked out before, kept in `folder`."""
    from pipeline.feature_rows import FeatureRows
    from pipeline.scoring import Scored

    told = json.loads((folder / "told.json").read_text())
    everyone = given[5] if len(given) > 5 else False
    scores = pd.read_parquet(folder / f"{'every' if everyone else 'some'}.parquet")
    with pa.OSFile(str(folder / f"{told['as_of']}.arrow")) as file, pa.ipc.open_file(file) as reader:
        schema = reader.schema
    yield Scored(scores, FeatureRows(folder, schema, scores["as_of"].iloc[0]))


def job(root: Path, source: str, ready: Path | None, number: int | None, asked: dict[str, Any], said: Path) -> None:
    """Run the job in this process; what it says, and how many steps it took, goes to `said`."""
    from pipeline import score
    from pipeline.layout import Layout
    from pipeline.params import load

    os.chdir(root)
    if ready is not None:
        score.scoring = partial(prepared, ready)
    params = load(root, source)
    done = [] if number is None else kill_at(number)
    summary = score.run(Layout(root, source), params, score.Request(**asked))
    steps = len(done)
    said.write_text(json.dumps({"steps": steps, "summary": summary}, default=str))


def start(
    root: Path, source: str, said: Path, ready: Path | None = None, number: int | None = None, **asked: Any
) -> Any:
    """Start the job in a process that has only imported so far."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.score", "pipeline.params", "models.label_free"])
    process = context.Process(target=job, args=(root, source, ready, number, asked, said))
    process.start()
    return process


def ended(root: Path, source: str, said: Path, **more: Any) -> tuple[int, dict[str, Any]]:
    """Run the job to its end: the exit code (negative: the signal), and what it said."""
    said.unlink(missing_ok=True)
    process = start(root, source, said, **more)
    process.join(120)
    return process.exitcode, json.loads(said.read_text()) if said.exists() else {}
