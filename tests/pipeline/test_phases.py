"""Seconds of the phases, in order, each for itself."""

from pipeline import phases


def test_a_phase_ends_where_the_next_begins(monkeypatch):
    clock, processor = iter([0.0, 1.0, 4.0, 5.0, 15.0, 15.0]), iter([0.0, 0.5, 2.5, 3.0, 4.0, 4.0])
    monkeypatch.setattr(phases, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(phases, "process_time", lambda: next(processor))
    told = phases.Phases()
    told.begin("features")
    told.begin("risk")
    told.begin("features")
    seconds = told.seconds
    assert seconds == {"features": 13.0, "risk": 1.0}
    assert list(seconds) == ["features", "risk"]
    assert told.processor == {"features": 3.0, "risk": 0.5}
