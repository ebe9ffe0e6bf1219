"""How long the parts of a job took."""

from __future__ import annotations

from time import perf_counter


class Phases:
    """Seconds by the name of the phase, in the order of their beginning; one phase ends where the next begins."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._name: str | None = None
        self._since = perf_counter()

    def begin(self, name: str) -> None:
        """End the phase under way and begin another, or go on with one of before."""
        self._end()
        self._name = name

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of all phases so far."""
        self._end()
        return dict(self._seconds)

    def _end(self) -> None:
        now = perf_counter()
        if self._name is not None:
            self._seconds[self._name] = self._seconds.get(self._name, 0.0) + now - self._since
        self._since = now
