"""What learning from a sample of accounts costs: `python -m benchmarks.sampling`, after `holdfast featurize` of both sources.

The risk model refitted at the last three test cut-offs of Iowa, Online Retail II and two simulated markets, from all accounts
and from samples of those without a loss, always judged on all accounts; the reasons on the simulated markets; and time and peak
memory, each in a process of its own (`--memory`), on a matrix that holds a market of few losses many times over.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import pandas as pd
import pyarrow as pa

from benchmarks.markets import simulated
from benchmarks.reasons import OURS, Measured, measure, metrics_of
from features.matrix import write
from market.scenarios import SCENARIOS
from models.metrics import evaluate
from models.sampling import lost_in
from pipeline.evaluate import test_cutoffs
from pipeline.layout import Layout
from pipeline.params import Params, changed, load
from pipeline.past import Past, sample_of
from pipeline.train import fit_at, fit_causes, outcomes_until, with_spread

SOURCES = ("iowa", "online_retail_ii")
SEEDS = (301, 302)  # of markets that nothing else is measured on
TESTS = 3
SHARES = (1.0, 0.1, 0.01)
QUIET = "quiet"  # few losses: of such a market a sample can leave out most
MEGABYTE = 1024 if sys.platform != "darwin" else 1 << 20


def risks(name: str, matrix: pd.DataFrame, params: Params) -> list[str]:
    """A line a share: rows learned from, AUC, Brier, calibration error, and the differences to all accounts."""
    tests = test_cutoffs(matrix, params.evaluate)[-TESTS:]
    tried = {f"{share:g}": changed(params.train, {"sample": share}) for share in SHARES}
    parts, rows = [], dict.fromkeys(tried, 0)
    for cutoff in tests:
        test = matrix[(matrix["as_of"] == cutoff) & matrix["label"].notna()].reset_index(drop=True)
        frame = test[["account_id", "as_of", "label", "lapsed"]].copy()
        for variant, train in tried.items():
            matured = matrix[matrix["as_of"] < params.featurize.horizon.before(cutoff)]
            rows[variant] += len(sample_of(train).take(matured, lost_in(matured)))
            frame[variant] = fit_at(matrix, cutoff, params.featurize, train).predict(test)
        parts.append(frame)
    given = params.evaluate
    judged = pd.concat(parts, ignore_index=True)
    found = evaluate(judged, list(tried), given.bootstrap, given.level, given.seed)
    lines = []
    for variant in tried:
        mean = found["population"]["all"][variant]["mean"]
        line = f"{name:18} {variant:6} {rows[variant] / rows['1']:5.0%}"
        line += "".join(f" {mean[metric]['value']:7.4f}" for metric in ("auc", "brier", "ece"))
        line += f" {judged[variant].mean() - judged['label'].mean():+7.4f}"
        if variant != "1":
            paired = found["paired"]["all"][variant]["mean"]
            line += "".join(f"  {_interval(paired[metric])}" for metric in ("auc", "brier"))
        lines.append(line)
    return lines


def _interval(cell: Mapping[str, float]) -> str:
    """The other less the first: `evaluate` gives the first less the other."""
    return f"{-cell['value']:+.4f} ({-cell['high']:+.4f} to {-cell['low']:+.4f})"


def reasons(seed: int, params: Params) -> list[str]:
    """How often the largest share is the true reason, by share of accounts."""
    lines = []
    for share in SHARES:
        sampled = params.model_copy(update={"train": changed(params.train, {"sample": share})})
        market = measure("plain", seed, None, params.simulate.accounts, params.simulate.periods, sampled)
        found = {key: Measured.of(value) for key, value in metrics_of(market, OURS, params).items()}
        told = " ".join(f"{found[key].value:7.3f}" for key in ("rel7", "rel6", "ece"))
        lines.append(f"market {seed:<11} {share:<8g} {told}   {found['rel7'].low:.3f} to {found['rel7'].high:.3f}")
    return lines


def copied(folder: Path, params: Params, copies: int) -> None:
    """A matrix of a quiet market `copies` times over, the accounts of each copy named anew."""
    market = simulated(SCENARIOS[QUIET], params.simulate.accounts, params.simulate.periods, SEEDS[0], params)
    write(
        (
            pa.Table.from_pandas(
                market.matrix.assign(account_id=market.matrix["account_id"] + f"-{copy}"), preserve_index=False
            )
            for copy in range(copies)
        ),
        folder,
    )


def one_training(folder: Path, params: Params) -> dict[str, float]:
    """Rows, seconds and peak memory of reading and fitting as `holdfast train` does, in this process."""
    started = perf_counter()
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
    past = Past.read(folder, params.train)
    read = perf_counter()
    model = with_spread(past, outcomes_until(past.rows, params.featurize), params.featurize, params.train)
    fit_causes(past.rows, model.features, params.featurize, params.train, params.reasons, progress=False)
    return {
        "rows": len(past.rows),
        "read": read - started,
        "fit": perf_counter() - read,
        "idle": idle,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE,
    }


def memory(params: Params, copies: int, shares: list[float]) -> list[str]:
    """A line a share: rows, seconds to read and to fit, peak memory."""
    lines = [f"{'share':>6} {'rows':>10} {'read, s':>8} {'fit, s':>8} {'peak, MB':>9} {'libraries alone':>16}"]
    with tempfile.TemporaryDirectory(prefix="holdfast-sampling-") as name:
        folder = Path(name) / "matrix"
        copied(folder, params, copies)
        size = sum(path.stat().st_size for path in folder.iterdir()) / (1 << 20)
        for share in shares:
            command = [sys.executable, "-m", "benchmarks.sampling", "--folder", str(folder), "--share", str(share)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            told = json.loads(done.stdout)
            lines.append(
                f"{share:6g} {told['rows']:10,} {told['read']:8.1f} {told['fit']:8.1f} {told['peak']:9,.0f} "
                f"{told['idle']:16,.0f}"
            )
    return [f"the matrix on disk: {size:,.0f} MB", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, metavar="COPIES", help="only time and memory, on so many copies")
    parser.add_argument("--share", type=float, action="append", help="of these instead of 1, .1 and .01")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    root = Layout.here("simulated").root
    params = load(root, "simulated")
    if given.folder:
        train = changed(params.train, {"sample": given.share[0]})
        print(json.dumps(one_training(given.folder, params.model_copy(update={"train": train}))))
    elif given.memory:
        print("\n".join(memory(params, given.memory, given.share or list(SHARES))))
    else:
        measured(root, params)


def measured(root: Path, params: Params) -> None:
    """Print the tables of quality."""
    print(f"{'':18} {'share':6} {'rows':>5} {'AUC':>7} {'Brier':>7} {'ECE':>7} {'bias':>7}  differences to all")
    for source in SOURCES:
        layout = Layout(root, source)
        print("\n".join(risks(source, Past.read(layout.matrix, params.train).rows, load(root, source))), flush=True)
    for seed in SEEDS:
        market = simulated(SCENARIOS["plain"], params.simulate.accounts, params.simulate.periods, seed, params)
        print("\n".join(risks(f"market {seed}", market.matrix, params)), flush=True)
    print(f"{'':18} {'share':8} {'rel7':>7} {'rel6':>7} {'ECE':>7}   interval of rel7")
    for seed in SEEDS:
        print("\n".join(reasons(seed, params)), flush=True)


if __name__ == "__main__":
    main()
