"""Holdfast against what people would pick: AutoGluon, CatBoost and DFS, beside BG/NBD and RFM, on real data.

Run `make quality`, which makes the rivals' environment `.venv-quality` and writes `docs/quality.md`. From the raw files to
the risk of every account: same cut-offs, same accounts, labels that had matured by then. The rivals' predictions are kept
under `artifacts/quality/`, by a hash of all that they read, so that another model of Holdfast does not run them again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from features.errors import ConfigurationError, ContractError, HoldfastError
from features.matrix import KEYS
from models.splits import Split, split
from pipeline import featurize
from pipeline.evaluate import predict_at, test_cutoffs
from pipeline.frames import label_of, read_matrix, write_frame, write_text
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import Featurize, Params, load

log = logging.getLogger("holdfast")

SOURCES = {"online_retail_ii": "online_retail_ii", "iowa": "iowa", "iowa_state": "iowa"}  # and the folder of raw files
STACKED, TUNING = 18, 3  # cut-offs a rival learns from, and of these the last, which it chooses its models on
RFM = ("recency", "tenure", "order_days_12", "order_days_total", "amount_12")  # all that RFM logistic and BG/NBD see
ROW = ["account_id", "as_of"]
SCRIPT = Path(__file__).with_name("quality_rivals.py")
PINS = Path(__file__).with_name("quality-requirements.txt")
DFS: dict[str, Any] = {
    "windows": [None, "90 days"],
    "depth": 2,
    "primitives": [
        *("sum", "mean", "std", "min", "max", "count", "num_unique"),
        *("time_since_last", "time_since_first", "avg_time_between"),
    ],
}
AUTOGLUON: dict[str, Any] = {"preset": "medium_quality", "eval_metric": "roc_auc", "without": []}
NETS = ["NN_TORCH", "FASTAI"]
REFITTED = "_refitted"  # ending of the column of the same models fitted again on all rows


@dataclass(frozen=True)
class Rival:
    """One way to predict: a tool, the features it is given, and the cut-offs it learns from."""

    title: str
    kind: str  # autogluon or catboost
    features: str  # holdfast, rfm or dfs
    stacked: bool  # the latest STACKED matured cut-offs, else the latest one
    settings: Mapping[str, Any] = field(default_factory=dict)


def rivals(trees_only: bool) -> dict[str, Rival]:
    """All rivals by the name of their column; `trees_only`: AutoGluon without its nets on stacked
    cut-offs."""
    some = AUTOGLUON | {"without": NETS if trees_only else []}
    of_which = ", trees" if trees_only else ""
    sets = {"holdfast": "our features", "rfm": "RFM", "dfs": "DFS"}
    return {
        "catboost": Rival("CatBoost, our features", "catboost", "holdfast", True),
        **{f"autogluon_{name}_latest": Rival(f"AutoGluon, {title}, latest cut-off", "autogluon", name, False, AUTOGLUON) for name, title in sets.items()},
        **{f"autogluon_{name}": Rival(f"AutoGluon, {title}{of_which}", "autogluon", name, True, some) for name, title in sets.items()},
    }  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the rivals live and leave their answers."""

    root: Path
    python: Path
    time_limit: float | None = None
    cpus: int = 2

    @property
    def cache(self) -> Path:
        return self.root / "artifacts" / "quality"


@dataclass(frozen=True)
class Prepared:
    """A source brought from its raw files to the matrix, and how long each step took."""

    source: str
    params: Params
    matrix: pd.DataFrame
    orders: Path
    cutoffs: tuple[date, ...]
    seconds: float


@dataclass(frozen=True)
class Result:
    """Predictions of Holdfast, the baselines and the rivals at all cut-offs of a source, and seconds by model: from the
    raw files to the risks at one cut-off, the mean."""

    source: str
    predictions: pd.DataFrame
    seconds: dict[str, float]
    versions: dict[str, str]


def processor_seconds() -> float:
    """Seconds of all processors that this process and the children it waited for have used: other work on the machine
    hardly changes them, while it stretches the wall time."""
    return float(sum(os.times()[:4]))


def interpreter(root: Path, given: Path | None = None) -> Path:
    """The rivals' Python. Raises ConfigurationError if it is not there."""
    path = given or root / ".venv-quality" / "bin" / "python"
    if not path.exists():
        raise ConfigurationError(
            f"{path} is missing: AutoGluon, CatBoost and featuretools live in an environment of their own. "
            "Run `make quality`, which makes it, or name another with --python."
        )
    return path


def chosen_cutoffs(matrix: pd.DataFrame, params: Params, last: int, development: bool) -> list[date]:
    """The last test cut-offs, or with `development` the last ones whose label had matured a period before the first.

    Raises ConfigurationError if there is none that anything can be learned for.
    """
    tests = test_cutoffs(matrix, params.evaluate)
    known = sorted(set(matrix.loc[matrix["label"].notna(), "as_of"]))
    label = label_of(params.featurize)
    if development:
        before = params.featurize.period.before(tests[0])
        tests = [cutoff for cutoff in known if label.matures(cutoff) <= before]
    tests = [cutoff for cutoff in tests if label.matures(known[0]) <= cutoff]
    if not tests:
        raise ConfigurationError(
            f"There is no {'development' if development else 'test'} cut-off with a matured label before it: the matrix "
            f"begins at {known[0]}. Choose another source, or earlier cut-offs in its params.yaml."
        )
    return tests[-last:]


def prepare(root: Path, work: Path, source: str, data: Path, last: int, development: bool) -> Prepared:
    """Raw files to the matrix, in `work`; in development nothing later than the last cut-off is kept of it."""
    params, layout = load(root, source), Layout(work, source)
    started = processor_seconds()
    ingest(source, data / SOURCES[source], layout.data, params.ingest, root)
    featurize.run(layout, params.featurize)
    matrix = read_matrix(layout.matrix)
    seconds = processor_seconds() - started
    cutoffs = chosen_cutoffs(matrix, params, last, development)
    matrix = matrix[matrix["as_of"] <= cutoffs[-1]].reset_index(drop=True)
    return Prepared(source, params, matrix, layout.tables / "orders.parquet", tuple(cutoffs), seconds)


def stack_at(matrix: pd.DataFrame, cutoff: date, given: Featurize) -> Split:
    """The cut-offs a rival learns from at `cutoff`, by the rule that holds for Holdfast; not by its parameters, so that
    tuning Holdfast leaves the rivals' answers valid."""
    return split(sorted(set(matrix["as_of"])), cutoff, label_of(given), STACKED, TUNING)


def frames_of(
    matrix: pd.DataFrame, features: Sequence[str], cutoff: date, given: Featurize, stacked: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows (with label and `part`) and test rows (without label) of a rival.

    Part "tuning": the last cut-offs, to choose on; "train": those whose label had matured before them; "gap": between, for
    the last fit only. Labels of neighbouring cut-offs overlap: without a gap a model would be chosen for knowing accounts by
    heart. All is "train" where the latest cut-off is all there is, or nothing had matured before the last ones.
    """
    stack = stack_at(matrix, cutoff, given)
    known = matrix["label"].notna()
    days = stack.train if stacked else stack.train[-1:]
    train = matrix.loc[matrix["as_of"].isin(days) & known, [*ROW, "label", *features]]
    part = pd.Series("train", train.index)
    if stacked and stack.calibration:
        part[~train["as_of"].isin(stack.before_calibration)] = "gap"
        part[train["as_of"].isin(stack.calibration)] = "tuning"
    train.insert(3, "part", part)
    test = matrix.loc[(matrix["as_of"] == cutoff) & known, [*ROW, *features]]
    return train.reset_index(drop=True), test.reset_index(drop=True)


def _features(matrix: pd.DataFrame) -> list[str]:
    return [str(name) for name in matrix if name not in KEYS]


def key_of(settings: Mapping[str, Any], *frames: pd.DataFrame) -> str:
    """Hash of what a rival reads: settings, pinned versions, and names and values of every column."""
    pins = [line for line in PINS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    digest = hashlib.sha256(json.dumps([dict(settings), pins], sort_keys=True).encode())
    for frame in frames:
        for name in frame:
            values = frame[name]
            plain = (
                values.to_numpy(float) if pd.api.types.is_numeric_dtype(values) else values.astype(str).to_numpy(str)
            )
            digest.update(f"{name} {plain.shape}".encode() + np.ascontiguousarray(plain).tobytes())
    return digest.hexdigest()[:16]


def answer_of(
    place: Place,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    frames: Mapping[str, pd.DataFrame],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What a rival answers, with what it told of itself: from the cache, else by running it.

    Raises HoldfastError, with the end of what it wrote, if it fails.
    """
    everything = {"kind": kind, "time_limit": place.time_limit, **settings}
    out = place.cache / f"{name}-{key_of(everything, *frames.values())}.parquet"
    told = out.with_suffix(".json")
    if not (out.exists() and told.exists()):
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="holdfast-rival-") as folder:
            paths = {part: str(Path(folder) / f"{part}.parquet") for part in frames}
            for part, frame in frames.items():
                write_frame(frame, Path(paths[part]))
            written = Path(folder) / "out.parquet"
            job = {
                **{"kind": kind, "settings": dict(settings), "time_limit": place.time_limit, "cpus": place.cpus},
                **{**paths, "out": str(written)},
            }
            write_text(json.dumps(job), Path(folder) / "job.json")
            environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            done = subprocess.run(
                [str(place.python), str(SCRIPT), str(Path(folder) / "job.json")],
                env={**environment, "OMP_NUM_THREADS": str(place.cpus)},
                capture_output=True,
                text=True,
            )
            if done.returncode or not written.exists():
                end = "\n".join(done.stderr.strip().splitlines()[-5:])
                raise HoldfastError(f"The rival {name} failed:\n{end}\nCorrect it, or leave it out with --rivals.")
            shutil.copy(written, out)
            shutil.copy(written.with_suffix(".json"), told)
    return pd.read_parquet(out), json.loads(told.read_text(encoding="utf-8"))


def aligned(answer: pd.DataFrame, test: pd.DataFrame, name: str) -> pd.DataFrame:
    """The answer in the order of the test rows. Raises ContractError unless it holds each of them once, and no other."""
    got, asked = (pd.MultiIndex.from_arrays([part["account_id"], part["as_of"].astype(str)]) for part in (answer, test))
    if got.has_duplicates or len(got) != len(asked) or len(asked.difference(got)):
        raise ContractError(
            f"The rival {name} answered {len(got):,} rows for {len(asked):,} accounts asked for; {len(asked.difference(got)):,} "
            f"are missing, {len(got.difference(asked)):,} were not asked for. Delete its files in artifacts/quality, run again."
        )
    return answer.iloc[got.get_indexer(asked)].reset_index(drop=True)


def invoices(path: Path, accounts: set[str]) -> pd.DataFrame:
    """The orders table, one row an order: what somebody would give featuretools."""
    lines = pd.read_parquet(path)
    lines = lines[lines["account_id"].isin(accounts)]
    lines = lines.assign(amount=lines["amount"].astype(float), quantity=lines["quantity"].astype(float), lines=1.0)
    table = (
        lines.groupby(["account_id", "order_id"], as_index=False)
        .agg({"ordered_at": "min", "amount": "sum", "quantity": "sum", "lines": "sum", "is_return": "max"})
        .sort_values(["ordered_at", "order_id"], ignore_index=True)
    )
    table.insert(0, "order", np.arange(len(table)))
    return table.drop(columns="order_id").assign(is_return=table["is_return"].astype(float))


def synthesised(place: Place, prepared: Prepared) -> tuple[pd.DataFrame, float]:
    """The matrix with DFS features in place of ours, and the seconds they take for what one test cut-off needs."""
    wanted: set[date] = set()
    for cutoff in prepared.cutoffs:
        wanted |= {cutoff, *stack_at(prepared.matrix, cutoff, prepared.params.featurize).train}
    matrix = prepared.matrix[prepared.matrix["as_of"].isin(wanted)].reset_index(drop=True)
    frames = {"rows": matrix[ROW], "orders": invoices(prepared.orders, set(matrix["account_id"]))}
    answer, told = answer_of(place, f"{prepared.source}-dfs", "dfs", DFS, frames)
    answer = aligned(answer, matrix, "dfs")
    one = 1 + len(stack_at(prepared.matrix, prepared.cutoffs[-1], prepared.params.featurize).train)
    features = answer.drop(columns=ROW)
    return pd.concat([matrix[list(KEYS)], features], axis=1), told["processor_seconds"] * one / len(wanted)


def run_rivals(place: Place, prepared: Prepared, chosen: Mapping[str, Rival], bar: Any) -> Result:
    """All rivals at all cut-offs of a source; predictions hold account, cut-off and a column a rival."""
    matrices = {
        "holdfast": (prepared.matrix, _features(prepared.matrix), 0.0),
        "rfm": (prepared.matrix, list(RFM), 0.0),
    }
    if any(rival.features == "dfs" for rival in chosen.values()):
        bar.set_postfix_str(f"{prepared.source} DFS")
        table, seconds = synthesised(place, prepared)
        matrices["dfs"] = (table, _features(table), seconds)
    parts: dict[date, pd.DataFrame] = {}
    spent: dict[str, list[float]] = {}
    versions: dict[str, str] = {}
    for name, rival in chosen.items():
        matrix, features, seconds = matrices[rival.features]
        for cutoff in prepared.cutoffs:
            bar.set_postfix_str(f"{prepared.source} {cutoff} {name}")
            train, test = frames_of(matrix, features, cutoff, prepared.params.featurize, rival.stacked)
            label = f"{prepared.source}-{cutoff}-{name}"
            answer, told = answer_of(place, label, rival.kind, rival.settings, {"train": train, "test": test})
            answer = aligned(answer, test, name)
            parts.setdefault(cutoff, test[ROW].copy())
            parts[cutoff][name] = answer["risk"].to_numpy(float)
            if "refitted" in answer:
                parts[cutoff][name + REFITTED] = answer["refitted"].to_numpy(float)
            whole = prepared.seconds + seconds + told["processor_seconds"]
            spent.setdefault(name, []).append(whole - told.get("refit_processor_seconds", 0.0))
            if "refitted" in answer:
                spent.setdefault(name + REFITTED, []).append(whole)
            versions |= told["versions"]
            bar.update()
    return Result(
        prepared.source,
        pd.concat(parts.values(), ignore_index=True),
        {name: float(np.mean(values)) for name, values in spent.items()},
        versions,
    )


def ours(prepared: Prepared) -> Result:
    """Predictions of Holdfast and the baselines, with the seconds from raw files to the risks at one cut-off."""
    parts, spent = [], []
    for cutoff in prepared.cutoffs:
        started = processor_seconds()
        parts.append(predict_at(prepared.matrix, cutoff, prepared.params.featurize, prepared.params.train))
        spent.append(prepared.seconds + processor_seconds() - started)
    return Result(prepared.source, pd.concat(parts, ignore_index=True), {"risk": float(np.mean(spent))}, {})


def joined(own: Result, other: Result) -> Result:
    """Both side by side. Raises ContractError unless they hold the same accounts and cut-offs."""
    answer = aligned(other.predictions, own.predictions, "of all columns")
    predictions = pd.concat([own.predictions, answer.drop(columns=ROW)], axis=1)
    return Result(own.source, predictions, own.seconds | other.seconds, own.versions | other.versions)


def wall_time(place: Place, source: str, data: Path, last: int, development: bool) -> dict[str, Any]:
    """Seconds of Holdfast's stages, one after the other as `make run` has them, and then of AutoGluon's preset with all its
    models, no time limit and its own holdout, on the rows and features of the last cut-off. Nothing comes from the cache."""
    found: dict[str, Any] = {"source": source, "load_before": os.getloadavg()[0]}
    with TemporaryDirectory(prefix="holdfast-quality-") as name:
        work = Path(name)
        prepared = prepare(place.root, work / "prepared", source, data, last, development)
        project = work / "project"
        (project / "sources" / source).mkdir(parents=True)
        shutil.copy(place.root / "params.yaml", project)
        for path in (place.root / "sources" / source).iterdir():
            shutil.copy(path, project / "sources" / source)
        if development:
            _overlay(project, source, prepared.cutoffs)
        raw = ["--data", str((data / SOURCES[source]).resolve())]
        for stage, options in {"ingest": raw, "featurize": [], "train": [], "evaluate": []}.items():
            command = [sys.executable, "-m", "pipeline.cli", stage, "--source", source, *options]
            environment = {**os.environ, "PYTHONPATH": str(place.root)}
            clock = _Clock()
            done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise HoldfastError(f"holdfast {stage} --source {source} failed:\n{done.stderr.strip()[-500:]}")
            found[stage] = clock.read()
        features = _features(prepared.matrix)
        train, test = frames_of(prepared.matrix, features, prepared.cutoffs[-1], prepared.params.featurize, True)
        frames = {"train": train.assign(part="train"), "test": test}
        clock = _Clock()
        _, told = answer_of(Place(work, place.python, None, place.cpus), "wall-time", "autogluon", AUTOGLUON, frames)
        refit = {"wall": told["refit_seconds"], "processor": told["refit_processor_seconds"]}
        found["autogluon"] = {name: seconds - refit[name] for name, seconds in clock.read().items()}
    found["ratio"] = {
        name: found["autogluon"][name] / (found["train"][name] + found["evaluate"][name])
        for name in ("wall", "processor")
    }
    return {**found, "rows": len(train), "trained": told["trained"], "load_after": os.getloadavg()[0]}


class _Clock:
    """Wall and processor seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.processor = perf_counter(), processor_seconds()

    def read(self) -> dict[str, float]:
        return {"wall": perf_counter() - self.wall, "processor": processor_seconds() - self.processor}


def _overlay(project: Path, source: str, cutoffs: Sequence[date]) -> None:
    """Make the copy of a project end at the development cut-offs."""
    path = project / "sources" / source / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    content.setdefault("featurize", {})["last_cutoff"] = cutoffs[-1]
    content.setdefault("evaluate", {})["cutoffs"] = list(cutoffs)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def run(given: argparse.Namespace, root: Path) -> list[Result]:
    """All sources: the rivals from the cache or run, and Holdfast beside them unless --rivals-only."""
    place = Place(root, interpreter(root, given.python), given.time_limit, given.cpus)
    chosen = rivals(given.trees_only)
    if unknown := sorted(set(given.rivals or ()) - set(chosen)):
        raise ConfigurationError(f"--rivals {unknown[0]!r} is not known. There are: {', '.join(chosen)}.")
    chosen = {name: rival for name, rival in chosen.items() if not given.rivals or name in given.rivals}
    results = []
    with (
        TemporaryDirectory(prefix="holdfast-quality-") as work,
        tqdm(desc="rivals", unit="run", disable=None) as bar,
    ):
        prepared = [
            prepare(root, Path(work), source, given.data, given.cutoffs, given.development) for source in given.sources
        ]
        bar.total = sum(len(source.cutoffs) for source in prepared) * len(chosen)
        for source in prepared:
            other = run_rivals(place, source, chosen, bar)
            results.append(other if given.rivals_only else joined(ours(source), other))
    return results


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "--sources", nargs="+", choices=SOURCES, default=list(SOURCES), help="data sets; all by default"
    )
    parser.add_argument("--cutoffs", type=int, default=3, metavar="N", help="the last N test cut-offs of each (3)")
    parser.add_argument(
        "--rivals", nargs="+", metavar="NAME", help=f"some of: {', '.join(rivals(False))}; all by default"
    )
    parser.add_argument(
        "--trees-only", action="store_true", help="AutoGluon without neural nets on stacked cut-offs: half the time"
    )
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="of one AutoGluon fit; none by default")
    parser.add_argument("--cpus", type=int, default=os.cpu_count() or 1, help="threads of a rival; all by default")
    parser.add_argument(
        "--development",
        action="store_true",
        help="cut-offs whose label had matured a period before the first test cut-off: nothing later is read, and no page written",
    )
    parser.add_argument("--rivals-only", action="store_true", help="fill the cache, and compare nothing")
    parser.add_argument(
        "--wall-time",
        metavar="SOURCE",
        choices=SOURCES,
        help="time Holdfast's stages and one AutoGluon fit, with all its models, first",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("HOLDFAST_DATA", "../shared/data")),
        metavar="FOLDER",
        help="holds iowa/ and online_retail_ii/ ($HOLDFAST_DATA, else ../shared/data)",
    )
    parser.add_argument("--python", type=Path, help="the rivals' interpreter (.venv-quality/bin/python)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; the exit code."""
    from benchmarks import quality_page

    given = arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    started = perf_counter()
    try:
        root = Layout.here("").root
        place = Place(root, interpreter(root, given.python), given.time_limit, given.cpus)
        timed = place.cache / ("wall-time-development.json" if given.development else "wall-time.json")
        if given.wall_time:
            found = wall_time(place, given.wall_time, given.data, given.cutoffs, given.development)
            write_text(json.dumps(found, indent=1) + "\n", timed)
        results = run(given, root)
        if given.rivals_only:
            rows = sum(len(result.predictions) for result in results)
            log.info(
                "quality: cache filled for %s rows; %.1f s; %s", f"{rows:,}", perf_counter() - started, place.cache
            )
            return 0
        clock = json.loads(timed.read_text(encoding="utf-8")) if timed.exists() else None
        titles = {name: rival.title for name, rival in rivals(given.trees_only).items()}
        typed = sys.argv[1:] if argv is None else argv
        page = quality_page.Page(results, titles, load(root, results[0].source).evaluate, clock, typed)
        if given.development:
            print(page.text())
            return 0
        page.write(root / "docs")
        log.info("quality: %s sources; %.1f s; wrote docs/quality.md", len(results), perf_counter() - started)
    except HoldfastError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
