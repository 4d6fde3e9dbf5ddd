"""Several listeners of a search as one."""

from __future__ import annotations

from distml.training import EpochResult
from distml.tune.log import LoggedTrial
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.search import SearchListener


class Several:
    """Implements `SearchListener`: tells each in turn."""

    def __init__(self, *listeners: SearchListener) -> None:
        self._listeners = listeners

    def on_note(self, note: str) -> None:
        for listener in self._listeners:
            listener.on_note(note)

    def on_recall(self, trial: LoggedTrial) -> None:
        for listener in self._listeners:
            listener.on_recall(trial)

    def on_start(self, candidate: Candidate) -> None:
        for listener in self._listeners:
            listener.on_start(candidate)

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        for listener in self._listeners:
            listener.on_epochs(number, epochs)

    def on_end(self, record: TrialRecord) -> None:
        for listener in self._listeners:
            listener.on_end(record)
