"""Holdfast against what people would pick: AutoGluon, CatBoost and DFS, beside BG/NBD and RFM, on real data.

Run `make quality`, which makes the rivals' environment `.venv-quality` and writes `docs/quality.md`. From the raw files to
the risk of every account: same cut-offs, same accounts, labels that had matured by then. The rivals' predictions are kept
under `artifacts/quality/`, by a hash of all that they read, so that another model of Holdfast does not run them again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tqdm import tqdm

from benchmarks.quality_page import Page
from benchmarks.quality_runs import SOURCES, Place, Result, interpreter, joined, ours, prepare, rivals, run_rivals
from benchmarks.quality_time import wall_time
from features.errors import ConfigurationError, HoldfastError
from pipeline.frames import write_text
from pipeline.layout import Layout
from pipeline.params import load

log = logging.getLogger("holdfast")


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
    parser.add_argument(
        "--cutoffs", type=_positive, default=3, metavar="N", help="the last N test cut-offs of each (3)"
    )
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


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cut-offs; give 1 or more")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; the exit code."""
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
        page = Page(results, titles, load(root, results[0].source).evaluate, clock, typed)
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
