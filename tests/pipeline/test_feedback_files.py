"""Files of feedback through ingest, as the page writes them and as people spoil them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ContractError, HoldfastError, LimitError
from pipeline import csv_files, feedback_files
from pipeline.ingest import IngestSummary, ingest
from pipeline.params import Ingest

ORDERS = "order_id,account_id,ordered_at,amount\nO1,A1,2024-01-05,10\nO2,A2,2024-02-05,10\nO3,=A3,2024-02-05,10\n"
HEADER = "account_id,given_on,verdict,reason,by\r\n"
PARAMS = Ingest(earliest=date(1990, 1, 1), latest=date(2024, 2, 29), quarantine_limit=0.5, memory="512MB")
AGREE = {"account_id": "A1", "given_on": date(2024, 3, 15), "verdict": "agree", "reason": None, "by": "ann"}
Run = Callable[..., IngestSummary]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("project/sources/contract", "project/sources/mine", "raw", "project/data/contract/feedback"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "raw" / "orders.csv").write_text(ORDERS)
    return tmp_path / "project"


@pytest.fixture
def raw(root: Path) -> Path:
    return root.parent / "raw"


@pytest.fixture
def out(root: Path) -> Path:
    return root / "data" / "contract"


@pytest.fixture
def run(root: Path, raw: Path, out: Path) -> Run:
    def run(source: str = "contract", params: Ingest = PARAMS) -> IngestSummary:
        return ingest(source, raw, out, params, root)

    return run


def say(path: Path, *rows: str, header: str = HEADER) -> None:
    path.write_bytes((header + "".join(f"{row}\r\n" for row in rows)).encode())


def row(account: str = "A1", on: str = "2024-03-15", verdict: str = "agree", reason: str = "", by: str = "ann") -> str:
    return feedback_files.line([account, on, verdict, reason, by]).removesuffix("\r\n")


def words(out: Path) -> list[dict[str, object]]:
    return pq.read_table(out / "tables" / "feedback.parquet").to_pylist()


def test_without_files_there_is_no_table(run: Run, out: Path) -> None:
    assert "feedback" not in run().tables
    assert not (out / "tables" / "feedback.parquet").exists()


def test_a_file_of_the_page_in_either_folder_becomes_the_table(run: Run, raw: Path, out: Path) -> None:
    for folder in (raw, out / "feedback"):
        say(folder / "feedback-2024-03-15.csv", row())
        assert run().tables["feedback"].rows == 1
        assert words(out) == [AGREE]
        (folder / "feedback-2024-03-15.csv").unlink()


def test_a_source_with_sql_of_its_own_takes_files_too(run: Run, raw: Path, root: Path, out: Path) -> None:
    (root / "sources" / "mine" / "orders.sql").write_text("SELECT * FROM orders")
    say(raw / "feedback-2024-03-15.csv", row())
    say(out / "feedback" / "feedback-2024-03-16.csv", row("A2", "2024-03-16"))
    assert run("mine").tables["feedback"].rows == 2


def test_files_of_several_days_repeat_rows_which_count_once(run: Run, raw: Path, out: Path) -> None:
    say(raw / "feedback-2024-03-15.csv", row())
    say(raw / "feedback-2024-03-16.csv", row(), row("A2", "2024-03-16"))
    say(out / "feedback" / "feedback-2024-03-16.csv", row(), row("A2", "2024-03-16"))
    assert run().tables["feedback"].rows == 2


def test_the_word_of_the_later_file_counts(run: Run, raw: Path, out: Path) -> None:
    """Browsers number later downloads of a day; as text, "(1)" would come before the first, and "(10)" before "(2)"."""
    say(raw / "feedback-2024-03-15.csv", row(verdict="already_handled"))
    say(raw / "feedback-2024-03-15 (2).csv", row(verdict="other_reason", reason="product"))
    say(raw / "feedback-2024-03-15 (10).csv", row())
    run()
    assert words(out) == [AGREE]


def test_the_later_row_of_a_file_counts(run: Run, raw: Path, out: Path) -> None:
    say(raw / "feedback.csv", row(verdict="already_handled"), row())
    run()
    assert words(out) == [AGREE]


def test_two_people_may_differ_on_an_account_and_day(run: Run, raw: Path, out: Path) -> None:
    say(raw / "feedback-2024-03-15.csv", row(), row(verdict="already_handled", by="bob"), row(by=""), row(by=""))
    run()
    assert [(word["by"], word["verdict"]) for word in words(out)] == [
        (None, "agree"),
        ("ann", "agree"),
        ("bob", "already_handled"),
    ]


def test_apostrophes_before_formulas_are_taken_off_and_others_stay(run: Run, raw: Path, out: Path) -> None:
    say(
        raw / "feedback-2024-03-15.csv",
        '"\'=A3","2024-03-15","agree","","\'@ann"',
        '"A1","2024-03-15","agree","","O\'Neil, ""\'t"""',
        '"A2","2024-03-15","agree","","\'t Hooft"',
    )
    run()
    assert [(word["account_id"], word["by"]) for word in words(out)] == [
        ("=A3", "@ann"),
        ("A1", "O'Neil, \"'t\""),
        ("A2", "'t Hooft"),
    ]


def test_what_a_spreadsheet_makes_of_a_file_is_read(run: Run, raw: Path, out: Path) -> None:
    """A byte order mark, semicolons, columns moved, no quotes, an empty row and a blank line at the end."""
    text = "\ufeffby;account_id;verdict;given_on\r\nann;A1;agree;2024-03-15\r\n;;;\r\n\r\n"
    (raw / "Feedback 2024.CSV").write_text(text, encoding="utf-8", newline="")
    run()
    assert words(out) == [AGREE]


def test_a_file_of_the_header_alone_is_an_empty_table(run: Run, raw: Path, out: Path) -> None:
    say(raw / "feedback.csv")
    assert run().tables["feedback"].rows == 0


def test_recorded_at_is_kept_where_a_file_has_it(run: Run, raw: Path, out: Path) -> None:
    header = "account_id,given_on,verdict,reason,by,recorded_at\r\n"
    say(raw / "feedback.csv", "A1,2024-03-15,agree,,ann,2024-03-16 10:00:00", header=header)
    run()
    assert words(out) == [AGREE | {"recorded_at": datetime(2024, 3, 16, 10)}]


def test_words_are_given_by_todays_clock_whatever_the_extracts_last_day(run: Run, raw: Path, out: Path) -> None:
    last = feedback_files.last_day()
    assert PARAMS.latest is not None
    assert last > PARAMS.latest
    say(raw / "feedback.csv", row(on=str(last)))
    run()
    say(raw / "feedback.csv", row(on=str(last + timedelta(days=1))))
    with pytest.raises(ContractError, match=rf"feedback\.given_on: after {last}, which is yet to come: 1 row"):
        run()


def test_today_is_that_of_the_easternmost_reader() -> None:
    now = datetime.now(UTC)
    assert now.date() <= feedback_files.last_day() <= now.date() + timedelta(days=1)


def test_rows_without_account_are_set_aside(run: Run, raw: Path, out: Path) -> None:
    say(raw / "feedback-1.csv", row(), row("A2"), row(account="", verdict="agree"))
    say(raw / "feedback-2.csv", row(account="", verdict="agree"), row(account="", verdict="already_handled"))
    assert run(params=PARAMS).tables["feedback"].quarantined == {"account_id is empty": 2}
    with pytest.raises(LimitError, match=r"feedback: 50\.0% of 4 rows"):
        run(params=PARAMS.model_copy(update={"quarantine_limit": 0.1}))


# --- a table of the source's own ------------------------------------------------------------------------------------


def test_words_of_files_join_the_sources_own_and_replace_those_on_the_same_day(
    run: Run, raw: Path, root: Path, out: Path
) -> None:
    (root / "sources" / "mine" / "orders.sql").write_text("SELECT * FROM orders")
    (root / "sources" / "mine" / "feedback.sql").write_text(
        "SELECT who AS account_id, DATE '2024-03-15' AS given_on, 'already_handled' AS verdict, nr AS \"by\" FROM feedback_crm"
    )
    say(raw / "feedback_crm.csv", "A1,7", "A2,8", header="who,nr\r\n")
    say(out / "feedback" / "feedback-2024-03-15.csv", row(by="7"), row(by="ann"))
    assert run("mine").tables["feedback"].rows == 3
    assert [(word["account_id"], word["by"], word["verdict"]) for word in words(out)] == [
        ("A1", "7", "agree"),
        ("A1", "ann", "agree"),
        ("A2", "8", "already_handled"),
    ]


def test_numbers_as_ids_of_an_own_parquet_stay_whole(run: Run, raw: Path, out: Path) -> None:
    duckdb.execute(
        "COPY (SELECT 'A1' AS account_id, DATE '2024-03-14' AS given_on, 'agree' AS verdict, 7::DOUBLE AS \"by\") "
        f"TO '{raw}/feedback.parquet'"
    )
    say(raw / "feedback-2024-03-15.csv", row())
    run()
    assert [word["by"] for word in words(out)] == ["7", "ann"]


def test_a_file_that_sql_reads_is_not_one_of_feedback(run: Run, raw: Path, root: Path) -> None:
    (root / "sources" / "mine" / "orders.sql").write_text(
        "SELECT * FROM orders ANTI JOIN Feedback_bad USING (order_id)"
    )
    say(raw / "feedback_bad.csv", "O1", header="order_id\r\n")
    summary = run("mine")
    assert (summary.tables["orders"].rows, "feedback" in summary.tables) == (2, False)


def test_own_words_without_their_reason_are_told_by_key(run: Run, raw: Path, out: Path) -> None:
    duckdb.execute(
        "COPY (SELECT 'A1' AS account_id, DATE '2024-03-14' AS given_on, 'other_reason' AS verdict) "
        f"TO '{raw}/feedback.parquet'"
    )
    told = r"feedback\.reason: empty, though the verdict is other_reason: 1 row, for example \(account_id A1, given_on 2024-03-14\)\."
    with pytest.raises(ContractError, match=told):
        run()
    say(raw / "feedback-2024-03-15.csv", row())
    with pytest.raises(ContractError, match=told.replace(r"2024-03-14\)", r"2024-03-14, by None\)")):
        run()


def test_wrong_columns_of_an_own_table_are_told_beside_wrong_words(run: Run, raw: Path) -> None:
    duckdb.execute(f"COPY (SELECT 'A1' AS account, DATE '2024-03-14' AS given_on) TO '{raw}/feedback.parquet'")
    say(raw / "feedback-2024-03-15.csv", row(verdict="yes"))
    with pytest.raises(
        ContractError, match=r"(?s)feedback\.account_id: the column is missing.*feedback\.verdict: none of"
    ):
        run()


# --- what people spoil ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        (row("A9"), r"feedback\.account_id: not in table orders: 1 row, for example 'A9' \(feedback-2\.csv, row 3\)\."),
        (
            row(on="15.3.2024"),
            r"feedback\.given_on: not a date \(write 2024-03-15\): 1 row, for example '15\.3\.2024' \(",
        ),
        (row(on="1989-12-31"), r"feedback\.given_on: before 1990-01-01 \(ingest\.earliest\): 1 row"),
        (
            row(verdict="yes"),
            r"feedback\.verdict: none of agree, other_reason, already_handled: 1 row, for example 'yes' \(",
        ),
        (row(verdict=""), r"feedback\.verdict: empty; it must be one of agree, .*: 1 row, for example \(feedback-2"),
        (
            row(verdict="other_reason"),
            r"feedback\.reason: empty, though the verdict is other_reason: 1 row, for example \(",
        ),
        (
            row(verdict="other_reason", reason="prodct"),
            r"feedback\.reason: no code of reasons\.yaml \(competitor, .*'prodct' \(",
        ),
        (
            row(reason="product"),
            r"feedback\.reason: filled, though the verdict is not other_reason: 1 row, .*'product' \(",
        ),
    ],
)
def test_a_wrong_word_is_told_with_file_and_row_once_and_nothing_is_written(
    run: Run, raw: Path, out: Path, bad: str, line: str
) -> None:
    say(raw / "feedback-1.csv", row())
    run()
    before = (out / "tables" / "feedback.parquet").read_bytes()
    say(raw / "feedback-2.csv", row("A2"), bad)
    with pytest.raises(ContractError, match=line) as caught:
        run()
    assert [text.split(":")[0] for text in str(caught.value).splitlines()[1:-1]] == [
        line.split(":")[0].replace("\\", "").rjust(2 + len(line.split(":")[0].replace("\\", "")))
    ]
    assert str(caught.value).endswith(
        "Correct the extract or the feedback files named, then run `holdfast ingest` again."
    )
    assert (out / "tables" / "feedback.parquet").read_bytes() == before


def test_accounts_are_looked_up_in_their_table_where_it_is_there(run: Run, raw: Path) -> None:
    (raw / "accounts.csv").write_text("account_id\nA1\nA2\n=A3\nA4\n")
    say(raw / "feedback.csv", row("A4"), row("A5"))
    with pytest.raises(ContractError, match=r"feedback\.account_id: not in table accounts: 1 row, for example 'A5'"):
        run()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"feedback\.csv is empty\. Export it again"),
        (HEADER + '"A1","2024-03-15","agree"\r\n', r"feedback\.csv cannot be read as CSV: "),
        (HEADER + '"A1","2024-03-15","agree","","ann","more"\r\n', r"feedback\.csv cannot be read as CSV: "),
        (HEADER + '"A1","2024-03-15","agree","","ann\r\n', r"feedback\.csv cannot be read as CSV: "),
        (
            "account_id,verdict\r\nA1,agree\r\n",
            r"feedback\.csv is no feedback file: it lacks given_on\. Its columns are account_id, verdict; they must",
        ),
        (
            HEADER.replace("by", "who") + "A1,2024-03-15,agree,,ann\r\n",
            r"it has who\. Its columns are .*Correct its header",
        ),
    ],
)
def test_files_that_cannot_be_read_are_named(run: Run, raw: Path, text: str, message: str) -> None:
    say(raw / "feedback-1.csv", row())
    (raw / "feedback.csv").write_bytes(text.encode())
    with pytest.raises(ContractError, match=message):
        run()


def test_a_file_that_breaks_off_late_is_named_among_others(run: Run, raw: Path) -> None:
    say(raw / "feedback-1.csv", row())
    say(raw / "feedback-2.csv", *[row()] * 30_000, '"A1","2024-03-15"')
    with pytest.raises(ContractError, match=r"feedback-2\.csv cannot be read as CSV"):
        run()


def test_a_file_in_latin_1_is_refused(run: Run, raw: Path) -> None:
    (raw / "feedback.csv").write_bytes((HEADER + row(by="Jürgen") + "\r\n").encode("latin-1"))
    with pytest.raises(HoldfastError, match=r"feedback\.csv cannot be read as CSV: .*\nExport it again as UTF-8"):
        run()


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("=+-@\t'\",;"), max_size=12
)


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_whatever_is_said_by_whomever_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, people: list[str]
) -> None:
    path = tmp_path_factory.mktemp("said") / "feedback.csv"
    say(path, *[row(f"A{number}", by=by) for number, by in enumerate(people)])
    con = duckdb.connect()
    said = feedback_files.load(con, [path], date(1990, 1, 1))
    found = dict(con.execute(f'SELECT account_id, "by" FROM {said.relation}').fetchall())
    con.close()
    assert said.failures == ()
    for number, by in enumerate(people):
        # An apostrophe that was there before a formula's sign cannot be told from the one that was put there.
        expected = by[1:] if by[:1] == "'" and by[1:2] in {"=", "+", "-", "@", "\t"} else by
        assert found[f"A{number}"] == (expected if by.strip(" ") else None)


def test_the_options_of_a_file_are_its_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a;b,c;d\n")
    assert "delim=';'" in csv_files.options(path)
