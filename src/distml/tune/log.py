"""What a search keeps of itself while it runs, so that another process can go on with it.

    <folder>/begun.json           what the search was begun with
    <folder>/trials/000001.json   a trial: its candidate, its epochs, what became of it
    <folder>/trials/000001.pt     a fit's state, written by the trial's own process; see `training.checkpoint`
    <folder>/trials/000001/       what a trial came to, written by the same; see `results`
    <folder>/trials/000001.txt    the traceback of a trial that failed

A candidate is written before it is given out, a record before anything is decided by it. Epochs are written now and
then: what the log misses of them, the checkpoint has.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from distml.errors import DistmlError
from distml.storage import Storage
from distml.training import EpochResult
from distml.training.checkpoint import Checkpoint
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.results import TrialResults

FLUSH_INTERVAL_S = 1.0  # between writes of running trials' epochs
_REST = 20  # times what a write took, until the next: a store that is far away takes little of the search's time


@dataclass(kw_only=True)
class LoggedTrial:
    """One trial as the log has it; `record` is None while it runs."""

    candidate: Candidate
    epochs: list[EpochResult] = field(default_factory=list)
    record: TrialRecord | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LoggedTrial:
        return cls(
            candidate=Candidate(**value["candidate"]),
            epochs=[EpochResult(**epoch) for epoch in value["epochs"]],
            record=TrialRecord.from_dict(value["record"]) if value["record"] else None,
        )


@dataclass(frozen=True)
class TrialFiles:
    """The files that a trial's own process writes, on whichever node that is."""

    storage: Storage
    folder: str

    def checkpoint(self, number: int) -> Checkpoint:
        return Checkpoint(self.storage, f"{self.folder}/trials/{number:06d}.pt")

    @property
    def results(self) -> TrialResults:
        return TrialResults(self.storage, self.folder)

    def failure(self, number: int, error: BaseException) -> str:
        """Why a trial failed in one line, which names the file with the whole traceback."""
        key = f"{self.folder}/trials/{number:06d}.txt"
        self.storage.write_bytes(key, "".join(traceback.format_exception(error)).encode())
        return f"{reason_of(error)} (more in {self.storage.uri(key)})"


class TrialLog:
    """The log of one search, written by the process that decides about its trials."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self.files = TrialFiles(storage, folder)
        self._storage = storage
        self._folder = folder
        self._trials: dict[int, LoggedTrial] = {}
        self._written_at = self._write_took_s = 0.0
        self._elapsed_before_s = 0.0
        self._began_at = time.monotonic()

    def begin(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings that the search was begun with: those given when it begins now."""
        key = f"{self._folder}/begun.json"
        if not self._storage.exists(key):
            self._storage.write_json(key, settings)
        return self._storage.read_json(key)

    def read(self) -> list[LoggedTrial]:
        """The trials of a search that was cut off, by number from 1; empty for one that begins."""
        folder = f"{self._folder}/trials"
        names = [name for name in self._storage.list(folder) if name.endswith(".json")]
        for name in names:
            value = self._storage.read_json(f"{folder}/{name}")
            self._elapsed_before_s = max(self._elapsed_before_s, value.pop("elapsed_s"))
            trial = LoggedTrial.from_dict(value)
            self._trials[trial.candidate.number] = trial
        return [self._trials[number] for number in sorted(self._trials)]

    def clear(self) -> None:
        """Forgets every trial: the search begins again."""
        for name in ("trials", "begun.json"):
            self._storage.delete(f"{self._folder}/{name}")
        self._trials.clear()
        self._elapsed_before_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """How long the search has run, in this process and those before."""
        return self._elapsed_before_s + time.monotonic() - self._began_at

    def start(self, candidate: Candidate) -> None:
        self._trials[candidate.number] = LoggedTrial(candidate=candidate)
        self._write(candidate.number)

    def add_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        self._trials[number].epochs += epochs
        if time.monotonic() - self._written_at > max(FLUSH_INTERVAL_S, _REST * self._write_took_s):
            self._write(number)

    def end(self, record: TrialRecord) -> None:
        self._trials[record.number].record = record
        self._write(record.number)

    def sweep(self, states: Collection[int], results: Collection[int]) -> None:
        """Deletes the states and the results of all trials but these: a process that was killed may have left them."""
        for name in self._storage.list(f"{self._folder}/trials"):
            number, _, kind = name.partition(".")
            if (kind == "pt" and int(number) not in states) or (not kind and int(number) not in results):
                self._storage.delete(f"{self._folder}/trials/{name}")

    def _write(self, number: int) -> None:
        value = {**self._trials[number].to_dict(), "elapsed_s": self.elapsed_s}
        began_at = time.monotonic()
        self._storage.write_json(f"{self._folder}/trials/{number:06d}.json", value)
        self._written_at = time.monotonic()
        self._write_took_s = self._written_at - began_at


def reason_of(error: BaseException) -> str:
    """An error in one line, without a library's frames.

    >>> reason_of(ValueError("dropout lies between 0 and 1\\nmore"))
    'ValueError: dropout lies between 0 and 1'
    """
    if isinstance(error, DistmlError):
        return str(error)
    if _is_out_of_memory(error):
        return f"out of memory: {_first_line(error)}".rstrip(": ")
    return f"{type(error).__name__}: {_first_line(error)}".rstrip(": ")


def _is_out_of_memory(error: BaseException) -> bool:
    """Python's own, torch's for a GPU, and what torch raises for a CPU, which has no type of its own."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else ""
