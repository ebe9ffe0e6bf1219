"""The command `feedback`, and the whole loop by the command line: a file of the page's bytes, ingest, the table."""

from __future__ import annotations

import shutil
import subprocess
import threading
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigurationError, ContractError
from pipeline import feedback
from pipeline.feedback import audit, give, said, summary, told_before
from pipeline.feedback_files import HEADER, last_day
from pipeline.layout import Layout
from pipeline.params import Params, load
from tests import commands

ROOT = Path(__file__).resolve().parents[2]
DAY, AS_OF = date(2024, 3, 15), date(2024, 3, 1)
# As the page's script writes it: every cell quoted, CRLF, an apostrophe before what begins like a formula.
PAGE = (
    b"account_id,given_on,verdict,reason,by\r\n"
    b'"A1","2024-03-15","agree","","Ann ""the"" O\'Neil, KAM"\r\n'
    b'"\'=A3","2024-03-15","other_reason","product","\'@bob"\r\n'
    b'"A2","2024-03-16","already_handled","","\xe6\x9d\x8e"\r\n'
)
ORDERS = "order_id,account_id,ordered_at,amount\nO1,A1,2024-01-05,10\nO2,A2,2024-02-05,10\nO3,=A3,2024-02-05,10\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "sources" / "contract").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    found = Layout(tmp_path, "contract")
    found.raw.mkdir(parents=True)
    (found.raw / "orders.csv").write_text(ORDERS)
    scores = pd.DataFrame(
        {
            "account_id": ["A1", "A2", "=A3"],
            "as_of": AS_OF,
            "lapsed": [False, False, True],
            "reason_1": ["product", "competitor", None],
            "reason_2": [None, "product", None],
            "reason_3": None,
            "share_product": [0.7, 0.2, None],
            "share_competitor": [0.1, 0.5, None],
        }
    )
    for folder in (found.artifacts, found.history / str(AS_OF)):
        folder.mkdir(parents=True)
        scores.to_parquet(folder / "scores.parquet")
    (found.history / str(AS_OF) / "scoring.json").write_text("{}")
    return found


@pytest.fixture
def params(layout: Layout) -> Params:
    return load(layout.root, layout.source)


def holdfast(layout: Layout, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.holdfast(layout.root, *arguments, "--source", layout.source)


def test_the_loop_from_the_pages_bytes_to_the_table_and_back_to_a_person(layout: Layout) -> None:
    (layout.raw / "feedback-2024-03-16.csv").write_bytes(PAGE)
    (layout.raw / "feedback-2024-03-15.csv").write_bytes(b"".join(PAGE.splitlines(keepends=True)[:3]))
    done = holdfast(
        layout, "feedback", "--account", "A2", "--verdict", "other_reason", "--reason", "product", "--on", "2024-03-17"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "A2: other_reason (product), by ann on 2024-03-17; written to data/contract/feedback/feedback-2024-03-17-typed.csv. "
        "`holdfast ingest` brings it to the table.\n"
    )
    done = holdfast(layout, "ingest", "--data", "data/contract/raw")
    assert done.returncode == 0, done.stderr
    assert "feedback 4 rows" in done.stderr
    table = pq.read_table(layout.tables / "feedback.parquet").to_pylist()
    assert [tuple(row.values()) for row in table] == [
        ("=A3", date(2024, 3, 15), "other_reason", "product", "@bob"),
        ("A1", date(2024, 3, 15), "agree", None, 'Ann "the" O\'Neil, KAM'),
        ("A2", date(2024, 3, 16), "already_handled", None, "李"),
        ("A2", date(2024, 3, 17), "other_reason", "product", "ann"),
    ]
    before = (layout.tables / "feedback.parquet").read_bytes()
    (layout.raw / "feedback-2024-03-17.csv").write_bytes(PAGE.replace(b"agree", b"perhaps"))
    done = holdfast(layout, "ingest", "--data", "data/contract/raw")
    assert done.returncode == 1
    assert (
        "feedback.verdict: none of agree, other_reason, already_handled: 1 row, for example 'perhaps' (feedback-2024-03-17.csv, row 2)."
        in done.stderr
    )
    assert (layout.tables / "feedback.parquet").read_bytes() == before
    done = holdfast(layout, "feedback")
    assert done.stdout.splitlines()[0] == "4 words on 3 accounts by 4 people, 2024-03-15 to 2024-03-17."


def test_wrong_use_of_the_command_exits_with_2_and_says_what_to_write(layout: Layout) -> None:
    done = holdfast(layout, "feedback", "--account", "A1")
    assert done.returncode == 2
    assert done.stderr == "holdfast: A word needs --account and --verdict, and goes without --audit and --out.\n"


def test_words_of_a_day_are_appended_as_the_page_writes_them(layout: Layout, params: Params) -> None:
    give(layout, params, "A1", "agree", by="Ann", on=DAY)
    give(layout, params, "=A3", "other_reason", "product", ' -bob "x"\n', DAY)
    path = layout.feedback / "feedback-2024-03-15-typed.csv"
    assert path.read_bytes().decode() == HEADER + (
        '"A1","2024-03-15","agree","","Ann"\r\n"\'=A3","2024-03-15","other_reason","product","\'-bob ""x"""\r\n'
    )
    assert [item.name for item in layout.feedback.iterdir()] == [path.name]
    assert said(layout, params)[["account_id", "by"]].to_numpy().tolist() == [["=A3", '-bob "x"'], ["A1", "Ann"]]


def test_the_day_is_today_unless_told(layout: Layout, params: Params) -> None:
    before = date.today()
    give(layout, params, "A1", "agree", by="ann")
    assert before <= said(layout, params)["given_on"].iloc[0] <= date.today()


def test_two_commands_at_a_time_lose_no_word(layout: Layout, params: Params) -> None:
    threads = [
        threading.Thread(target=give, args=(layout, params, "A1", "agree", None, f"person {number}", DAY))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(said(layout, params)["by"]) == {f"person {number}" for number in range(6)}


def test_a_lock_left_behind_is_named(layout: Layout, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "PATIENCE", 0.1)
    layout.feedback.mkdir()
    lock = layout.feedback / ".feedback-2024-03-15-typed.csv.lock"
    lock.touch()
    with pytest.raises(ConfigurationError, match=r"If none is running, delete .*\.lock\."):
        give(layout, params, "A1", "agree", by="ann", on=DAY)
    assert [path.name for path in layout.feedback.iterdir()] == [lock.name]


def test_a_broken_file_is_told_before_more_is_written_to_it(layout: Layout, params: Params) -> None:
    give(layout, params, "A1", "agree", by="ann", on=DAY)
    path = layout.feedback / "feedback-2024-03-15-typed.csv"
    for broken in (HEADER + "A1,2024-03-15", HEADER + "A1,2024-03-15,yes,,ann\r\n"):
        path.write_bytes(broken.encode())
        with pytest.raises(ContractError, match=r"cannot be read as CSV|none of agree"):
            give(layout, params, "A2", "agree", by="ann", on=DAY)
        assert path.read_bytes() == broken.encode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_edited_by_hand_keeps_its_line_ends(layout: Layout, params: Params, end: str) -> None:
    layout.feedback.mkdir()
    path = layout.feedback / "feedback-2024-03-15-typed.csv"
    lines = HEADER + "A1,2024-03-15,agree,,ann" + end
    path.write_bytes((lines.replace("\r\n", end) if end == "\n" else lines).encode())
    give(layout, params, "A2", "agree", by="ann", on=DAY)
    assert said(layout, params)["account_id"].tolist() == ["A1", "A2"]


def test_a_file_whose_columns_were_moved_is_not_added_to(layout: Layout, params: Params) -> None:
    layout.feedback.mkdir()
    path = layout.feedback / "feedback-2024-03-15-typed.csv"
    path.write_text("by;account_id;given_on;verdict;reason\nann;A1;2024-03-15;agree;\n")
    with pytest.raises(
        ContractError, match=r"typed\.csv begins with 'by;account_id.*Make it 'account_id,given_on,verdict"
    ):
        give(layout, params, "A2", "agree", by="ann", on=DAY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("a2", "agree"),
            r"--account 'a2' is not among the 3 scored accounts of 'contract'; closest is 'A2'\. Write it as",
        ),
        (("A1", "agre"), r"--verdict 'agre' is none of agree, other_reason, already_handled; closest is 'agree'\."),
        (("A1", "other_reason"), r"--verdict other_reason needs --reason: which one\? One of competitor, "),
        (
            ("A1", "other_reason", "produkt"),
            r"--reason 'produkt' is no code of reasons\.yaml; closest is 'product': compet",
        ),
        (("A1", "agree", "product"), r"--reason goes with --verdict other_reason alone\. Leave it out"),
        (
            ("A1", "agree", None, "ann", date(1980, 1, 1)),
            r"--on 1980-01-01 must lie from 1990-01-01 \(ingest\.earliest\) to",
        ),
        (("A1", "agree", None, "ann", date(2999, 1, 1)), r"--on 2999-01-01 must lie from "),
    ],
)
def test_what_cannot_be_said(layout: Layout, params: Params, arguments: tuple, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        give(layout, params, *arguments)
    assert not layout.feedback.exists()


def test_without_scores_there_is_nothing_to_speak_of(layout: Layout, params: Params) -> None:
    layout.scores.unlink()
    with pytest.raises(
        ConfigurationError, match=r"'contract' has no scores\. Run `holdfast score --source contract` first"
    ):
        give(layout, params, "A1", "agree", by="ann")


def test_what_was_said_is_counted_by_verdict_and_the_reason_told_then(layout: Layout, params: Params) -> None:
    assert summary(layout, params).startswith("Nothing was said of 'contract' so far. Say it on an account's page")
    give(layout, params, "A2", "other_reason", "turbulence", "ann", DAY)
    give(layout, params, "A1", "agree", None, "ann", DAY)
    give(layout, params, "A1", "already_handled", None, "bob", DAY)
    give(layout, params, "=A3", "agree", None, "bob", date(2024, 3, 16))
    lines = summary(layout, params).splitlines()
    assert lines[0] == "4 words on 3 accounts by 2 people, 2024-03-15 to 2024-03-16."
    assert [line.split() for line in lines[2:7]] == [
        ["reason", "told", "first", "then", "agree", "other_reason", "already_handled", "all"],
        ["Product", "no", "longer", "fits", "1", "0", "1", "2"],
        ["none", "was", "told", "1", "0", "0", "1"],
        ["Taken", "by", "a", "competitor", "0", "1", "0", "1"],
        ["all", "2", "1", "1", "4"],
    ]
    assert lines[-1] == (
        "Of 2 judging words, each person's last one on an account and scoring, 50.0% agree (95% interval 9.5% to 90.5%)."
    )


def test_words_of_the_table_and_of_files_since_are_one_and_the_file_counts(layout: Layout, params: Params) -> None:
    layout.tables.mkdir(parents=True)
    duckdb.execute(
        "COPY (SELECT * FROM (VALUES ('A1', DATE '2024-03-15', 'already_handled', 'ann'), ('A2', DATE '2024-03-14', 'agree', "
        f"NULL)) AS said(account_id, given_on, verdict, \"by\")) TO '{layout.tables}/feedback.parquet'"
    )
    give(layout, params, "A1", "agree", by="ann", on=DAY)
    assert said(layout, params).to_numpy().tolist() == [
        ["A2", date(2024, 3, 14), "agree", None, None],
        ["A1", date(2024, 3, 15), "agree", None, "ann"],
    ]


def test_scorings_of_before_are_read_where_they_were_kept_whole(layout: Layout) -> None:
    (layout.history / "2024-04-01").mkdir()
    told = told_before(layout)
    assert told["as_of"].unique().tolist() == [AS_OF]
    assert told_before(Layout(layout.root, "other")).empty


def test_an_audit_is_a_file_with_what_was_told_and_said(layout: Layout, params: Params) -> None:
    give(layout, params, "A2", "other_reason", "turbulence", "=ann", DAY)
    told = audit(layout, params, 5, layout.reason_audit)
    assert told.startswith(
        "2 accounts to audit, 1 of them contradicted by a word; there are no more than these of the 5 asked for: "
    )
    assert layout.reason_audit.read_bytes().decode() == (
        '"account_id","as_of","reason","share","drawn","chance","verdict","other_reason","by","given_on","audited_reason","audited_by"\r\n'
        '"A2","2024-03-01","competitor","0.5","contradicted","1.0","other_reason","turbulence","\'=ann","2024-03-15","",""\r\n'
        '"A1","2024-03-01","product","0.7","random","1.0","","","","","",""\r\n'
    )


def test_the_last_day_is_never_past() -> None:
    assert last_day() >= date.today()
