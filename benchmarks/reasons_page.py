"""`docs/reasons.md`: how often the reasons are right, as `holdfast reasons --benchmark` measured it, with a picture; and
`models/naming.json`, by `holdfast reasons --tune`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.reasons import (
    AUDITED,
    METRICS,
    OURS,
    RESAMPLES,
    TAUGHT,
    TOLD,
    Market,
    Measured,
    difference,
    pooled,
    run,
    seeds_of,
    table,
    worst,
)
from features.errors import ConfigurationError
from market.scenarios import SCENARIOS
from models.metrics import reliability
from models.naming import CURVE_FILE, curve, least_share, write_curve
from models.shares import UNEXPLAINED
from models.stability import Placebo
from models.taxonomy import taxonomy
from models.tracking import log_benchmark
from pipeline.frames import write_text
from pipeline.params import Params

ACCOUNTS, PERIODS = 6_000, 48  # of a simulated market
SEEDS = (81, 82, 83, 84)  # nothing was chosen on them
# On them constants were chosen, how often names are right among them, or they were looked at before the last choice.
DEVELOPMENT_SEEDS = (*range(61, 81), 101, 102, 103)
HELD_OUT = ("placebo", "quiet")  # settings of the simulator on which nothing was chosen, under any seed

HEADS = {
    "rel7": "rel7",
    "rel6": "rel6",
    "rel8": "rel8",
    "ece": "ECE",
    "ece_first": "ECE of the first",
    "named": "named",
    "precision": "precision",
    "two": "two candidates",
    "either": "one of them true",
}


def benchmark(root: Path, params: Params, seeds: Sequence[int], scenarios: Sequence[str], jobs: int) -> str:
    """Measure on simulated markets and log it in MLflow; the page. Without seeds and scenarios it is written to `docs/`.

    Raises ConfigurationError for an unknown scenario.
    """
    unknown = sorted(set(scenarios) - set(SCENARIOS))
    if unknown:
        raise ConfigurationError(f"--scenario {unknown[0]!r} is not known. There are: {', '.join(SCENARIOS)}.")
    markets = run(seeds or SEEDS, scenarios or list(SCENARIOS), ACCOUNTS, PERIODS, params, jobs)
    text = page(markets, params, "holdfast reasons --benchmark" + "".join(f" --seed {seed}" for seed in seeds))
    files = []
    if not seeds and not scenarios:
        files = [root / "docs" / "reasons.md", root / "docs" / "reasons.png"]
        write_text(text, files[0])
        picture(markets, files[1])
    track(markets, params, files)
    return text


def tune(params: Params, seeds: Sequence[int], jobs: int) -> str:
    """Measure how often a name is right by its share, on markets that the benchmark does not use; writes naming.json."""
    given = seeds or DEVELOPMENT_SEEDS
    chosen = [scenario for scenario in SCENARIOS if scenario not in HELD_OUT]
    markets = run(given, chosen, ACCOUNTS, PERIODS, params, jobs, own_only=True)
    write_curve(*pooled(markets), seeds_of(markets), params.reasons.model_dump())
    return f"Wrote {CURVE_FILE}: a reason is named from a share of {least_share(params.explain.precision):.2f} on."


def page(markets: Sequence[Market], params: Params, command: str) -> str:
    """The page as Markdown."""
    cells, means = table(markets, params)
    stable, placebos = _stable(markets), _placebos(markets)
    checks = _checks(markets)
    seeds = {market.seed for market in markets}
    lines = [
        "# How often the reasons are right",
        "",
        "No company knows for sure why an account left. On simulated markets it is known: `market/scenarios.py` plants eight",
        "reasons, and the truth of every loss lies beside the tables. This page is written by",
        "",
        "<!-- not run: it takes hours -->",
        "```sh",
        command,
        "```",
        "",
        f"({len(markets)} markets: {len({market.scenario for market in markets})} scenarios, seeds {_listed(seeds)}, "
        f"{_used(seeds)}; {sum(len(market.losses) for market in markets):,} losses.) It takes "
        "accounts still buying at one of four cut-offs a quarter apart that then stop for good, and sets the reason with the "
        "largest share against the true one. No method has seen a true reason, but the first two, which no company can have, "
        "and those with audited exits. The first is told how often each was the true one before; the second learned, "
        "by one LightGBM over the same evidence at the same cut-offs, from the true reason of every loss before.",
        "",
        "- `rel7`: among the six causes of document 000 and the natural end; `rel6`: among the six; `rel8`: among all eight. Each",
        "  is the share of right answers over that of the largest true hazard at the decision, which nobody can beat on average.",
        "- ECE: calibration error of the shares, over all pairs of a loss and a reason, the unexplained among them; of the first:",
        "  of the largest share of each loss.",
        f"- named: losses of which a reason is named, having a share of {least_share(params.explain.precision):.2f} or more "
        f"(`explain.precision: {params.explain.precision}`); precision: names that are right.",
        "- two candidates: losses of which two reasons are told that have that share together; one of them true: how often so.",
        f"- In brackets the 95 % interval by {RESAMPLES} resamples of the losses of each market, of the errors mirrored at the",
        "  value, which resamples lie above; that of the mean does not count that other seeds make other markets.",
        "",
        "![Shares against what was true, and precision of the names](reasons.png)",
        "",
        *_rows(means, "mean over markets"),
        "",
        *_told(markets, params),
        *_held_out(cells),
        "## What was aimed at",
        "",
        *_aims(cells, means, checks),
        "",
        "## Stability and placebo",
        "",
        f"Trained again a month later, on a month more of losses, the largest share is another reason's in "
        f"{_percent(checks['top_changes.all'])} of the losses ({stable['all'].min():.1%} to {stable['all'].max():.1%} by market), in "
        f"{_percent(checks['top_changes.large'])} of those where it exceeds one half.",
        "",
        f"A reason whose evidence is swapped among accounts, so that it is a placebo, gets {_percent(checks['placebo'])} "
        f"of the shares ({min(placebos).share:.1%} to {max(placebos).share:.1%} by market, a different reason in each), and "
        f"{_percent(checks['placebo.learned'])} by what was learned alone: evidence without precedent "
        "counts wherever it lands, and what all accounts share, such as an event of the company, cannot be swapped. In brackets "
        "the 95 % interval by resampling markets.",
        "",
        *_planted(markets),
        "## By market",
        "",
        *_rows(cells, None),
        "",
        "## What this does not show",
        "",
        "The form of the model, hazards that add up, is that of these markets too, and the constants that turn hazards into",
        "shares were found on others of the same simulator. On real data the judge is an audited exit: `holdfast reasons --learn`",
        "says how often the shares were right there, and `holdfast reasons --placebo` what a placebo gets.",
        "",
    ]
    return "\n".join(lines)


def picture(markets: Sequence[Market], path: Path) -> None:
    """Left: what a share says against how often it was true. Right: precision of the names by how many get one."""
    from matplotlib.figure import Figure

    codes = [*taxonomy().codes, UNEXPLAINED]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for method, style in ((OURS, "-o"), (TAUGHT, "--s")):
        share, reason = pooled(markets, method)
        values = share[[f"share_{code}" for code in codes]].fillna(0.0).to_numpy()
        hit = (reason.to_numpy()[:, None] == np.array(codes)).astype(float)
        bins = reliability(hit.ravel(), values.ravel(), 20)
        left.plot(bins["predicted"], bins["observed"], style, markersize=4, label=method)
        rows = pd.DataFrame(curve(share, reason))
        right.plot(rows["named"], rows["precision"], style[0] if style[0] == "-" else "--", label=method)
    left.set(
        xlabel="share of a reason",
        ylabel="how often it was the true one",
        title="Shares are right as often as they say",
    )
    right.set(
        xlabel="losses with a reason named", ylabel="names that are right", title="Naming fewer is right more often"
    )
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def track(markets: Sequence[Market], params: Params, files: Sequence[Path]) -> None:
    """The means over markets as a run of the MLflow experiment `holdfast/reasons`."""
    means = table(markets, params)[1]
    metrics = {
        f"{_slug(method)}.{metric}": cell.value
        for method, row in means.iterrows()
        for metric, cell in row.items()
        if isinstance(cell, Measured)
    }
    metrics |= {name: cell.value for name, cell in _checks(markets).items()}
    settings: Mapping[str, Any] = {
        **params.reasons.model_dump(),
        "seeds": _listed({market.seed for market in markets}),
        "markets": len(markets),
    }
    log_benchmark("reasons", settings, metrics, files)


def _stable(markets: Sequence[Market]) -> pd.DataFrame:
    return pd.DataFrame([market.stability for market in markets])


def _placebos(markets: Sequence[Market]) -> list[Placebo]:
    return [got for market in markets for got in market.placebo.values()]


def _checks(markets: Sequence[Market]) -> dict[str, Measured]:
    """How often the first reason changes at retraining, and what a placebo gets: means over markets."""
    stable, placebos = _stable(markets), _placebos(markets)
    return {
        "top_changes.all": Measured.over(stable["all"].tolist()),
        "top_changes.large": Measured.over(stable["large"].tolist()),
        "placebo": Measured.over([got.share for got in placebos]),
        "placebo.learned": Measured.over([got.learned for got in placebos]),
    }


def _planted(markets: Sequence[Market]) -> list[str]:
    """The reasons that nobody leaves for in the scenario `placebo`, though their traces are in the tables."""
    found = [market for market in markets if market.scenario == "placebo"]
    if not found:
        return []
    mean = pd.concat([market.methods[OURS] for market in found]).mean()
    return [
        f"In the scenario `placebo` nobody leaves for promises not kept or turbulence: they get "
        f"{mean['share_broken_promises']:.1%} and {mean['share_turbulence']:.1%}. Turbulence touches whole regions and lines "
        "at once, in a handful of events, so that losses which only fall together with one can look like its effect.",
        "",
    ]


def _told(markets: Sequence[Market], params: Params) -> list[str]:
    """How far the shares are from those of the model that was told every true reason."""
    if not all(TOLD in market.methods for market in markets):
        return []
    found = difference(markets, OURS, TOLD, params)
    said = ", ".join(f"{by.value:+.3f} ({by.low:+.3f} to {by.high:+.3f}) in {metric}" for metric, by in found.items())
    return [f"Against the model that was told every true reason, {OURS} without a single one: {said}.", ""]


def _held_out(cells: pd.DataFrame) -> list[str]:
    """How our method does in the settings of the simulator on which nothing was chosen."""
    own = cells.xs(OURS, level=2)
    own = own[own.index.get_level_values(0).isin(HELD_OUT)]
    if own.empty:
        return []
    said = ", ".join(f"{metric} {own[metric].map(lambda cell: cell.value).mean():.3f}" for metric in ("rel7", "rel6"))
    return [f"In the settings on which nothing was chosen under any seed ({', '.join(HELD_OUT)}): {said}.", ""]


def _aims(cells: pd.DataFrame, means: pd.DataFrame, checks: Mapping[str, Measured]) -> list[str]:
    """What was aimed at, what was reached, and whether that is enough."""
    scenario, low = worst(cells, "rel7")

    def mean(metric: str, method: str = OURS) -> float:
        cell: Any = means[metric].get(method)
        return cell.value if isinstance(cell, Measured) else float("nan")

    aims = [  # what, reached, aim, whether more is better
        ("rel7", mean("rel7"), 0.73, True),
        (f"rel7 with {AUDITED} audited exits", mean("rel7", TAUGHT), 0.75, True),
        ("rel6", mean("rel6"), 0.78, True),
        (f"rel7 of the worst scenario, {scenario}", low, 0.63, True),
        ("named", mean("named"), 0.25, True),
        ("precision of the names", mean("precision"), 0.70, True),
        ("ECE", mean("ece"), 0.02, False),
        ("first reason changes at retraining", checks["top_changes.all"].value, 0.12, False),
        ("the same where its share exceeds one half", checks["top_changes.large"].value, 0.08, False),
        ("share of a placebo", checks["placebo"].value, 0.04, False),
    ]
    for metric in ("rel7", "rel6"):
        aims.append((f"{metric} of the model told every true reason, at least", mean(metric), mean(metric, TOLD), True))
    lines = ["| | reached | aimed at | |", "|---|---|---|---|"]
    for what, reached, aim, more in aims:
        if np.isnan(reached) or np.isnan(aim):
            continue
        met = reached >= aim if more else reached <= aim
        lines.append(f"| {what} | {reached:.3f} | {aim:.3f} | {'met' if met else 'missed'} |")
    return lines


def _rows(cells: pd.DataFrame, label: str | None) -> list[str]:
    heads = [HEADS[metric] for metric in METRICS]
    lines = [f"| market | method | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 2)]
    for key, row in cells.iterrows():
        market, method = (label, key) if label else _market(key)
        lines.append(f"| {market} | {method} | {' | '.join(_cell(row[metric]) for metric in METRICS)} |")
    return lines


def _market(key: Any) -> tuple[str, str]:
    return f"{key[0]} {key[1]}", key[2]


def _cell(cell: Any) -> str:
    if not isinstance(cell, Measured) or np.isnan(cell.value):
        return "–"
    return f"{cell.value:.3f} ({cell.low:.3f} to {cell.high:.3f})"


def _percent(found: Measured) -> str:
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _used(seeds: set[int]) -> str:
    known = sorted(seeds & set(DEVELOPMENT_SEEDS))
    if not known:
        return "none of which was used to choose anything"
    return f"of which {_listed(set(known))} were looked at before the last constant was chosen, so that the figures flatter"


def _listed(seeds: set[int]) -> str:
    return ", ".join(str(seed) for seed in sorted(seeds))


def _slug(method: Any) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in str(method).lower())
