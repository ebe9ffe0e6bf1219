"""The command line: a subcommand a stage, and `run` for all of them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.layout import Layout
    from pipeline.params import Params

app = typer.Typer(
    help="Predicts which trade accounts will stop buying, and says why. Exit codes: 0 fine, 1 the data break their "
    "contract, 2 wrong configuration, 3 internal error, 4 a limit was passed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Source = Annotated[str, typer.Option(help="Name of the source: a folder under sources/.")]
By = Annotated[str | None, typer.Option(help="Who decides; default: the user, from USER.")]


@app.callback()
def options(
    log_format: Annotated[
        str, typer.Option("--log-format", help="text, or json: an object a line on standard error.")
    ] = "text",
) -> None:
    from features.errors import ConfigurationError
    from pipeline import logs

    if log_format not in logs.FORMATS:
        raise ConfigurationError(f"--log-format {log_format!r} is not known. Choose among {', '.join(logs.FORMATS)}.")
    logs.set_up(log_format)


def _setup(source: str) -> tuple[Layout, Params]:
    """Before the stage is imported: what is wrong with the project is told at once, not after the libraries have loaded."""
    from pipeline.layout import Layout
    from pipeline.params import load

    layout = Layout.here(source)
    return layout, load(layout.root, source)


@contextmanager
def _alone(source: str, stage: str) -> Iterator[tuple[Layout, Params]]:
    """As `_setup`, for a stage that no second process may run on the source meanwhile: both would write the same files."""
    layout, params = _setup(source)
    from pipeline.job import alone

    with alone(layout.artifacts, stage):
        yield layout, params


def _day(text: str | None, option: str = "--as-of") -> date | None:
    from features.errors import ConfigurationError

    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise ConfigurationError(f"{option} {text!r} is not a date. Write it as 2024-03-31.") from None


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the tables; truth.parquet goes beside it.")],
    accounts: Annotated[int | None, typer.Option(help="Accounts, instead of params.yaml's.")] = None,
    periods: Annotated[int | None, typer.Option(help="Months, instead of params.yaml's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, instead of params.yaml's.")] = None,
    scenario: Annotated[
        str | None,
        typer.Option(help="plain, hidden, interacting, placebo, reverse, quiet or late, instead of params.yaml's."),
    ] = None,
) -> None:
    """Simulate a dealer market with planted loss reasons, as contract tables."""
    from pipeline import simulate as stage
    from pipeline.params import changed

    _, params = _setup("simulated")
    given = {"accounts": accounts, "periods": periods, "seed": seed, "scenario": scenario}
    stage.run(changed(params.simulate, given), out)


@app.command()
def extract(
    source: Annotated[str, typer.Option(help="Name of the source, whose source.yaml names a database.")],
) -> None:
    """Run the source's SQL in its own database; the result becomes its raw files. Only reads there."""
    layout, params = _setup(source)
    from pipeline import extract as stage

    stage.run(layout, params.ingest)


@app.command()
def ingest(
    data: Annotated[Path, typer.Option(help="Folder with the raw CSV or Parquet files.")],
    source: Source = "contract",
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="Keyed hashes in place of names, as with ingest.pseudonymise.")
    ] = False,
) -> None:
    """Bring raw files to checked contract tables."""
    layout, params = _setup(source)
    from pipeline.ingest import ingest as stage
    from pipeline.params import changed

    stage(source, data, layout.data, changed(params.ingest, {"pseudonymise": pseudonymise or None}), layout.root)


@app.command()
def pseudonym(
    value: Annotated[list[str], typer.Argument(help="Ids or names as the source has them.")],
    names: Annotated[
        str, typer.Option(help="account, account_name, address, manager, manager_name, prospect or prospect_name.")
    ] = "account",
) -> None:
    """Say by which pseudonym a report names an account, for who has the key (HOLDFAST_PSEUDONYM_KEY)."""
    from pipeline.pseudonyms import in_words

    typer.echo(in_words(names, value))


@app.command()
def featurize(source: Source = "simulated") -> None:
    """Build the matrix: features as they were known at each cut-off, and labels."""
    with _alone(source, "featurize") as (layout, params):
        from pipeline import featurize as stage

        stage.run(layout, params.featurize)


@app.command()
def audit(source: Source = "simulated") -> None:
    """Prove on the source's own tables that no feature knows the future."""
    layout, params = _setup(source)
    from pipeline import audit as stage

    stage.run(layout, params.featurize, params.audit)


@app.command()
def train(source: Source = "simulated") -> None:
    """Train the risk model and the model of causes, and register them in MLflow."""
    with _alone(source, "train") as (layout, params):
        from pipeline import train as stage

        stage.run(layout, params.featurize, params.train, params.reasons)


@app.command()
def evaluate(
    source: Source = "simulated",
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 if the gate to champion is not passed.")
    ] = False,
) -> None:
    """Test the recipe at rolling cut-offs beside baselines and champion; decide who is champion."""
    with _alone(source, "evaluate") as (layout, params):
        from pipeline import evaluate as stage

        stage.run(
            layout, params.featurize, params.train, params.evaluate, params.money, params.score, params.explain, strict
        )


@app.command()
def tune(
    source: Source = "simulated",
    budget: Annotated[
        str | None, typer.Option(help="Time for this run: 10m, 2h, or seconds; default: params.yaml's tune.budget.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Stop at so many trials, those of earlier runs counted, if the budget lasts.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the trials of earlier runs.")] = False,
) -> None:
    """Search the risk model's parameters at rolling cut-offs before those of the evaluation. Needs the matrix.

    Says what is better than the present `train` of params.yaml and whether that can be told from luck, and prints what
    to paste there; it changes nothing itself. A run that was broken off goes on where it was.
    """
    layout, params = _setup(source)
    from pipeline import tune as stage
    from pipeline.params import changed

    given = {"budget": budget, "trials": trials}
    typer.echo(stage.run(layout, params.featurize, params.train, params.evaluate, changed(params.tune, given), fresh))


@app.command()
def promote(
    source: Source = "simulated",
    version: Annotated[int | None, typer.Option(help="In the registry; default: the challenger.")] = None,
    by: By = None,
    why: Annotated[str | None, typer.Option(help="Reason; default: what the gate said.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also if the gate was not passed; needs --why.")] = False,
) -> None:
    """Make a version champion whose gate was passed; with --force any."""
    layout, _ = _setup(source)
    from pipeline import champion

    typer.echo(champion.promote(layout, version, by, why, force))


@app.command()
def rollback(
    source: Source = "simulated",
    by: By = None,
    why: Annotated[str | None, typer.Option(help="Reason, kept with the decision.")] = None,
) -> None:
    """Bring back the champion before the present one."""
    layout, _ = _setup(source)
    from pipeline import champion

    typer.echo(champion.rollback(layout, by, why))


@app.command()
def score(
    source: Source = "simulated",
    as_of: Annotated[str | None, typer.Option(help="Date, YYYY-MM-DD; default: the day after the last order.")] = None,
    out: Annotated[
        Path | None, typer.Option(help=".parquet or .csv; default: artifacts/<source>/scores.parquet.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Folder of a model, alias (champion, challenger) or version.")
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Reasons of all accounts, not of the riskiest ones alone.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Score again what is already scored.")] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Write only what changed since the scoring kept of that day, or since the 'previous' one."),
    ] = None,
    to_table: Annotated[
        str | None,
        typer.Option(help="Write the rows into this table of PostgreSQL too, at the address in HOLDFAST_SCORES_URL."),
    ] = None,
    summary: Annotated[
        str | None, typer.Option(help="File for a JSON summary, written on failure too; - for standard output.")
    ] = None,
) -> None:
    """Score every eligible account: risk, rank, expected loss; reasons of the riskiest ones (explain.rank).

    What is already scored, by the same model from the same data, is not scored again; a run that was killed is completed
    by the next one.
    """
    from pipeline.job import summarised

    def work() -> dict[str, Any]:
        (layout, params), day = _setup(source), _day(as_of)
        from pipeline import score as stage

        return stage.run(layout, params, stage.Request(day, out, model, everyone, force, since, to_table))

    summarised(summary, {"command": "score", "source": source, "as_of": as_of}, work)


@app.command()
def monitor(
    source: Source = "simulated",
    model: Annotated[
        str | None,
        typer.Option(help="As given to score: folder of a model, alias or version; default: the source's own."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict/--no-strict", help="Exit with 4 if a limit of params.yaml's monitor is passed.")
    ] = True,
) -> None:
    """Hold the scoring against what its model learned from, and past scorings against what became of them."""
    with _alone(source, "monitor") as (layout, params):
        from pipeline import monitor as stage

        stage.run(layout, params, model, strict)


@app.command()
def serve(
    source: Source = "simulated",
    model: Annotated[
        str, typer.Option(help="Alias (champion, challenger), version, or folder of a model.")
    ] = "champion",
    host: Annotated[
        str, typer.Option(help="Address to listen at. Whoever reaches it may ask: there is no login.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 5001,
) -> None:
    """Answer requests for risks over HTTP, by MLflow's own server, until it is stopped: docs/experiments.md."""
    layout, _ = _setup(source)
    from pipeline import serve as stage

    stage.run(layout, model, host, port)


@app.command()
def explain(source: Source = "simulated") -> None:
    """Explain the accounts with reasons in the scores: why the model says so, why now, what if, evidence, SHAP plot."""
    with _alone(source, "explain") as (layout, params):
        from pipeline import explain as stage

        stage.run(layout, params)


@app.command()
def reasons(
    source: Source = "simulated",
    learn: Annotated[
        bool, typer.Option("--learn", help="Learn from the recorded losses (exits) anew; says by how much it helped.")
    ] = False,
    placebo: Annotated[
        bool, typer.Option("--placebo", help="What share each reason would get if its evidence were another account's.")
    ] = False,
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Measure on simulated markets how often the reasons are right.")
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure how often a name is right by its share; writes models/naming.json.")
    ] = False,
    seed: Annotated[list[int] | None, typer.Option(help="Of the markets; may be given several times.")] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Of the markets; default: all. With neither seed nor scenario docs/ is written."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Markets measured at a time.")] = 2,
) -> None:
    """Say how far the reasons can be trusted; with an option, learn, check or measure."""
    from features.errors import ConfigurationError

    if learn + placebo + benchmark + tune > 1:
        raise ConfigurationError("Give one of --learn, --placebo, --benchmark and --tune.")
    if (seed or scenario) and not (benchmark or tune):
        raise ConfigurationError(
            "--seed and --scenario are of simulated markets: give --benchmark or --tune with them."
        )
    if scenario and tune:
        raise ConfigurationError("--tune measures on every scenario that is not held out: leave --scenario out.")
    if source != "simulated" and (benchmark or tune):
        raise ConfigurationError(f"--benchmark and --tune simulate their markets: leave --source {source} out.")
    if benchmark or tune:
        from benchmarks import reasons_page as page

        layout, params = _setup("simulated")
        typer.echo(
            page.benchmark(layout.root, params, seed or [], scenario or [], jobs)
            if benchmark
            else page.tune(params, seed or [], jobs)
        )
        return
    if learn:  # writes what train writes
        with _alone(source, "train") as (layout, params):
            from pipeline import reasons as stage

            typer.echo(stage.learn(layout, params))
        return
    layout, params = _setup(source)
    from pipeline import reasons as stage

    typer.echo(stage.placebo(layout, params) if placebo else stage.summary(layout, params))


@app.command()
def feedback(
    source: Source = "simulated",
    account: Annotated[str | None, typer.Option(help="The account, as in the scores.")] = None,
    verdict: Annotated[str | None, typer.Option(help="agree, other_reason or already_handled.")] = None,
    reason: Annotated[str | None, typer.Option(help="With other_reason: which one, a code of reasons.yaml.")] = None,
    by: Annotated[str | None, typer.Option(help="Who says so; default: the user, from USER.")] = None,
    on: Annotated[str | None, typer.Option(help="Date, YYYY-MM-DD; default: today.")] = None,
    audit: Annotated[
        int | None, typer.Option(min=1, help="Draw so many active accounts whose reasons someone should check.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=".csv of the audit; default: artifacts/<source>/reason_audit.csv.")
    ] = None,
) -> None:
    """Say whether the reasons told of an account are right; without an account, print what was said so far."""
    from features.errors import ConfigurationError

    layout, params = _setup(source)
    from pipeline import feedback as stage

    if account is not None and verdict is not None and audit is None and out is None:
        typer.echo(stage.give(layout, params, account, verdict, reason, by, _day(on, "--on")))
    elif any(given is not None for given in (account, verdict, reason, by, on)):
        raise ConfigurationError("A word needs --account and --verdict, and goes without --audit and --out.")
    elif audit is not None:
        typer.echo(stage.audit(layout, params, audit, out or layout.reason_audit))
    elif out is not None:
        raise ConfigurationError("--out is the file of an audit. Give --audit N with it.")
    else:
        typer.echo(stage.summary(layout, params))


@app.command()
def labels(source: Source = "simulated") -> None:
    """Write the page of definitions of a loss: how the ranking of accounts moves with what counts as one."""
    with _alone(source, "labels") as (layout, params):
        from pipeline import labels as stage

        stage.run(layout, params)


@app.command()
def decide(source: Source = "simulated") -> None:
    """Turn risk into action: classes, worklist, what if a manager left, win-back, prospects, economics."""
    with _alone(source, "decide") as (layout, params):
        from pipeline import decide as stage

        stage.run(layout, params)


@app.command()
def report(
    source: Source = "simulated",
    lang: Annotated[
        list[str] | None,
        typer.Option(help="en, zh_Hans, zh_Hant or ro; may be given several times, the first opens first."),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="Has a page whatever its risk; may be given several times.")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="A page for every account scored.")] = False,
) -> None:
    """Write the report: a static site that opens from disk, and its tables as CSV, XLSX and Parquet."""
    with _alone(source, "report") as (layout, params):
        from pipeline import report as stage

        stage.run(layout, params, lang or [], account or [], everyone)


@app.command()
def run(
    source: Source = "simulated",
    data: Annotated[Path | None, typer.Option(help="Folder with the raw files.")] = None,
) -> None:
    """Run the whole pipeline of a source by DVC and say what it found."""
    layout, params = _setup(source)
    from pipeline import run as stage

    typer.echo(stage.run(layout, params, data))


def main() -> None:
    """Run the command line; a user's mistake is one message and its exit code, never a traceback."""
    from features.errors import HoldfastError
    from pipeline import logs
    from pipeline.redaction import hide

    logs.set_up(logs.TEXT)
    log = logging.getLogger("holdfast")

    try:
        app()
    except HoldfastError as error:
        log.error("holdfast: %s", hide(str(error)), extra={"exit_code": error.exit_code})
        _leave(error.exit_code)
    except Exception as error:  # the last resort: say where the details are, keep the exit code's promise
        from pipeline import disk

        if disk.is_full(error):
            log.error("holdfast: %s", hide(str(disk.full(error))), extra={"exit_code": 3})
        else:
            told = hide(f"{type(error).__name__}: {error}")
            log.error("holdfast: internal error: %s. Details: %s", told, _details(), extra={"exit_code": 3})
        _leave(3)


def _details() -> str:
    """The file that the traceback of the error under way was written to; the traceback itself where none can be."""
    import tempfile
    import traceback

    from pipeline.redaction import hide

    told = hide(traceback.format_exc())
    try:
        with tempfile.NamedTemporaryFile("w", prefix="holdfast-error-", suffix=".log", delete=False) as file:
            file.write(told)
    except OSError as error:
        return f"no file of them could be written ({error.strerror}):\n{told}"
    return file.name


def _leave(code: int) -> None:
    if "HOLDFAST_EXIT_FILE" in os.environ:
        Path(os.environ["HOLDFAST_EXIT_FILE"]).write_text(str(code))
    sys.exit(code)


if __name__ == "__main__":
    main()
