"""Command feedback: a word said without the page, what was said so far, and accounts drawn for an audit of reasons."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from features import contracts
from features.errors import ConfigurationError, ContractError
from features.files import written_file
from features.tables import TABLES
from models import audits
from models.agreement import HANDLED, JUDGING, OTHER, agreement, told_then
from models.taxonomy import taxonomy
from pipeline import feedback_files
from pipeline.artifacts import column_names, read_frame
from pipeline.champion import decider
from pipeline.history import META_FILE
from pipeline.layout import Layout
from pipeline.params import Params

REASONS = ("account_id", "as_of", "lapsed", "reason_1", "reason_2", "reason_3")
PATIENCE = 10.0  # seconds that one command waits for another to have written


def give(
    layout: Layout,
    params: Params,
    account: str,
    verdict: str,
    reason: str | None = None,
    by: str | None = None,
    on: date | None = None,
) -> str:
    """Append a word to the file of its day in `data/<source>/feedback`, whole or not at all; says what was done.

    The file is named `feedback-<date>-typed.csv`, so that a page's file of that day does not take its place.

    Raises ConfigurationError if the account is not scored, or verdict, reason, person or day cannot be; ContractError if
    the file that is there cannot be read.
    """
    allowed = TABLES["feedback"]["verdict"].allowed
    if verdict not in allowed:
        raise ConfigurationError(f"--verdict {verdict!r} is none of {', '.join(allowed)}{_hint(verdict, allowed)}.")
    _require_reason(verdict, reason)
    known = _scores(layout)["account_id"].astype("str")
    if account not in set(known):
        raise ConfigurationError(
            f"--account {account!r} is not among the {len(known):,} scored accounts of {layout.source!r}"
            f"{_hint(account, known)}. Write it as in {layout.scores.relative_to(layout.root)}."
        )
    day = on or date.today()
    last = feedback_files.last_day()
    if not params.ingest.earliest <= day <= last:
        raise ConfigurationError(f"--on {day} must lie from {params.ingest.earliest} (ingest.earliest) to {last}.")
    person = " ".join(decider(by).split())
    path = layout.feedback / f"feedback-{day}-typed.csv"
    row = feedback_files.line([account, str(day), verdict, reason or "", person])
    with _alone(path):
        before = _content(path, params) if path.exists() else feedback_files.HEADER
        # Strict reading knows one kind of line end a file, and people edit files.
        end = "\r\n" if "\r\n" in before else "\n"
        _write(path, before + ("" if before.endswith(end) else end) + row.replace("\r\n", end))
    said = f"{verdict} ({reason})" if reason else verdict
    return (
        f"{account}: {said}, by {person} on {day}; written to {path.relative_to(layout.root)}. "
        "`holdfast ingest` brings it to the table."
    )


def summary(layout: Layout, params: Params) -> str:
    """What was said so far, ingested or not, by verdict and by the reason told first then, in words."""
    words = said(layout, params)
    if words.empty:
        return (
            f"Nothing was said of {layout.source!r} so far. Say it on an account's page of the report, or by "
            "`holdfast feedback --account A --verdict agree`."
        )
    told = told_before(layout)
    found = agreement(words, told, params.feedback.level)
    people = words["by"].nunique() + bool(words["by"].isna().any())
    lines = [
        f"{len(words):,} words on {words['account_id'].nunique():,} accounts by {people:,} "
        f"{'person' if people == 1 else 'people'}, {words['given_on'].min()} to {words['given_on'].max()}.",
        "",
    ]
    names = taxonomy().names
    then = told_then(words, told)
    counts = pd.crosstab(then["reason_1"].fillna(""), then["verdict"])
    counts = counts.reindex(columns=[*JUDGING, HANDLED], fill_value=0)
    counts = counts.assign(all=counts.sum(axis=1)).sort_values("all", ascending=False, kind="stable")
    lines.append(f"{'reason told first then':40}" + "".join(f"{name:>17}" for name in counts.columns))
    for code, row in [*counts.iterrows(), ("all", counts.sum())]:
        name = "all" if code == "all" else names[str(code)]["en"] if code else "none was told"
        lines.append(f"{name:40}" + "".join(f"{count:>17,}" for count in row))
    overall = found["overall"]
    if overall["words"]:
        lines += [
            "",
            f"Of {overall['words']:,} judging words, each person's last one on an account and scoring, "
            f"{overall['share']:.1%} agree ({found['level']:.0%} interval {overall['low']:.1%} to {overall['high']:.1%}).",
        ]
    return "\n".join(lines)


def audit(layout: Layout, params: Params, count: int, out: Path) -> str:
    """Draw accounts for an audit of reasons (`models.audits.draw`) and write them to `out`, CSV; says what was drawn."""
    words = said(layout, params)
    drawn = audits.draw(_scores(layout), words, count, params.feedback.seed)
    contradicted = int((drawn["drawn"] == "contradicted").sum())
    rows = [["" if pd.isna(value) else str(value) for value in row] for row in drawn.to_numpy(dtype=object)]
    _write(out, "".join(map(feedback_files.line, [list(drawn.columns), *rows])))
    fewer = f"; there are no more than these of the {count:,} asked for" if len(drawn) < count else ""
    return (
        f"{len(drawn):,} accounts to audit, {contradicted:,} of them contradicted by a word{fewer}: {out}. Someone other "
        "than the account's manager should ask why it might leave; docs/feedback.md says what becomes of the answer."
    )


def said(layout: Layout, params: Params) -> pd.DataFrame:
    """All words: those of the table that was ingested last, and those of files in `data/<source>/feedback` since.

    Columns are the contract's, without `recorded_at`; `given_on` is a date. Ordered by day, account and person.
    """
    frames = [pd.DataFrame({name: [] for name in feedback_files.COLUMNS}, dtype=object)]
    table = layout.tables / "feedback.parquet"
    if table.exists():
        frames.append(read_frame(table))
    files = feedback_files.ordered(feedback_files.in_folder(layout.feedback))
    if files:
        with duckdb.connect() as con:
            read = feedback_files.load(con, files, params.ingest.earliest)
            feedback_files.refuse(read, layout.feedback)
            frames.append(con.execute(f"SELECT * FROM {read.relation} WHERE account_id IS NOT NULL").df())
    frames = [frame.reindex(columns=list(feedback_files.COLUMNS)).astype(object) for frame in frames]
    words = pd.concat(frames, ignore_index=True)
    words["given_on"] = pd.to_datetime(words["given_on"]).dt.date
    words = words.where(words.notna(), None).dropna(subset=["account_id", "given_on"])
    words = words.drop_duplicates(["account_id", "given_on", "by"], keep="last")
    return words.sort_values(["given_on", "account_id", "by"], kind="stable", ignore_index=True)


def told_before(layout: Layout) -> pd.DataFrame:
    """Account, as_of and told reasons of all scorings that were kept."""
    paths = sorted(path.parent / "scores.parquet" for path in layout.history.glob(f"[0-9]*/{META_FILE}"))
    if not paths:
        return pd.DataFrame(columns=list(REASONS))
    return pd.concat([_reasons(path) for path in paths], ignore_index=True)


def _reasons(path: Path) -> pd.DataFrame:
    there = [name for name in REASONS if name in column_names(path)]
    return read_frame(path, there).reindex(columns=list(REASONS))


def _scores(layout: Layout) -> pd.DataFrame:
    if not layout.scores.exists():
        raise ConfigurationError(
            f"{layout.source!r} has no scores. Run `holdfast score --source {layout.source}` first: a word is on the reasons "
            "that a scoring told."
        )
    return read_frame(layout.scores)


def _content(path: Path, params: Params) -> str:
    """The text of a file that one more word may be written to: it can be read, and has the columns in their order."""
    with duckdb.connect() as con:
        feedback_files.refuse(feedback_files.load(con, [path], params.ingest.earliest), path)
    text = path.read_bytes().decode("utf-8-sig")
    header = text.splitlines()[0]
    if header != feedback_files.HEADER.strip():
        raise ContractError(
            f"{path} begins with {header!r}, so no word can be added. Make it {feedback_files.HEADER.strip()!r}, or give the "
            "file another name that begins with feedback."
        )
    return text


def _require_reason(verdict: str, reason: str | None) -> None:
    codes = taxonomy().codes
    if verdict != OTHER and reason:
        raise ConfigurationError(f"--reason goes with --verdict {OTHER} alone. Leave it out.")
    if verdict == OTHER and not reason:
        raise ConfigurationError(f"--verdict {OTHER} needs --reason: which one? One of {', '.join(codes)}.")
    if reason and reason not in codes:
        raise ConfigurationError(
            f"--reason {reason!r} is no code of reasons.yaml{_hint(reason, codes)}: {', '.join(codes)}."
        )


def _hint(name: str, candidates: Sequence[str] | pd.Series[str]) -> str:
    match = contracts.closest(name, list(candidates))
    return f"; closest is {match!r}" if match else ""


def _write(path: Path, text: str) -> None:
    """Write a text file as it is, line ends too, whole or not at all."""
    with written_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from adding to the file meanwhile: of two that read it and write it again, one's word would be lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, until = path.with_name(f".{path.name}.lock"), time.monotonic() + PATIENCE
    while True:
        try:
            lock.touch(exist_ok=False)
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise ConfigurationError(
                    f"Another command has been writing to {path} for {PATIENCE:.0f} seconds. If none is running, delete {lock}."
                ) from None
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink()
