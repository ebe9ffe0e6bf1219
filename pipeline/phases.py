"""How long the parts of a job took, by the clock and of the processor."""

from __future__ import annotations

from time import perf_counter, process_time


class Phases:
    """Seconds by the name of the phase, in the order of their beginning; one phase ends where the next begins.

    Seconds of the processor are those of all threads: other work on the machine lengthens those of the clock alone.
    """

    def __init__(self) -> None:
        self._taken: dict[str, tuple[float, float]] = {}
        self._name: str | None = None
        self._since = perf_counter(), process_time()

    def begin(self, name: str) -> None:
        """End the phase under way and begin another, or go on with one of before."""
        self._end()
        self._name = name

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of the clock of all phases so far."""
        self._end()
        return {name: round(clock, 3) for name, (clock, _) in self._taken.items()}

    @property
    def processor(self) -> dict[str, float]:
        """Seconds of the processor of all phases so far."""
        self._end()
        return {name: round(processor, 3) for name, (_, processor) in self._taken.items()}

    def _end(self) -> None:
        now = perf_counter(), process_time()
        if self._name is not None:
            clock, processor = self._taken.get(self._name, (0.0, 0.0))
            self._taken[self._name] = clock + now[0] - self._since[0], processor + now[1] - self._since[1]
        self._since = now
