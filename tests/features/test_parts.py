"""Parts come in their order, few at a time, and wait on disk where memory is short."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pyarrow as pa
import pytest

from features import parts
from features.parts import THREADS, LocalParts, ahead


def tables() -> list[pa.Table]:
    return [pa.table({"number": [number, number + 10]}) for number in range(3)]


def doubled(table: pa.Table) -> pa.Table:
    return pa.table({"number": [2 * number for number in table["number"].to_pylist()]})


def test_parts_are_changed_one_by_one_when_they_are_asked_for():
    changed = []

    def change(table: pa.Table) -> pa.Table:
        changed.append(table)
        return doubled(table)

    mapped = iter(LocalParts(tables()).map(change))
    assert changed == []
    assert next(mapped)["number"].to_pylist() == [0, 20]
    assert len(changed) == 1
    assert [part["number"].to_pylist() for part in LocalParts(tables()).gather(doubled)] == [[0, 20], [2, 22], [4, 24]]


@pytest.mark.parametrize("room", ["all", "one part", "none"])
def test_parts_that_are_kept_can_be_gone_through_again(monkeypatch, on_disk, room):
    monkeypatch.setattr(parts, "HELD", {"all": 1000, "one part": 20, "none": 0}[room])
    with LocalParts(iter(tables())).kept() as kept:
        assert list(kept) == list(kept) == tables()
        assert list(kept.map(doubled)) == [doubled(table) for table in tables()]
        assert all(path.exists() for path in on_disk)
    assert len(on_disk) == {"all": 0, "one part": 2, "none": 3}[room]
    assert not any(path.exists() for path in on_disk)


def test_results_come_in_order_though_later_work_ends_first():
    second_done = Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(30)
        else:
            second_done.set()
        return number * 10

    with ThreadPoolExecutor(2) as pool:
        assert list(ahead(pool, work, range(5))) == [0, 10, 20, 30, 40]


def test_no_more_than_a_few_results_wait_to_be_taken():
    begun, lock = [], Lock()

    def work(number: int) -> int:
        with lock:
            begun.append(number)
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        for taken, _ in enumerate(ahead(pool, work, range(20)), start=1):
            assert len(begun) <= taken + THREADS
    assert sorted(begun) == list(range(20))


def test_what_fails_ahead_is_raised_in_its_turn():
    def work(number: int) -> int:
        if number == 1:
            raise OSError("disk full")
        return number

    with ThreadPoolExecutor(2) as pool:
        results = ahead(pool, work, range(5))
        assert next(results) == 0
        with pytest.raises(OSError, match="disk full"):
            next(results)
