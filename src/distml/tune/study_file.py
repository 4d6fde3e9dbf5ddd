"""The search as an Optuna study in a file, for `optuna.load_study` and optuna-dashboard: live, and read by people only.

It is an Optuna journal (`JournalFileBackend`) with one study of the run config's name. It is written from what the
search tells its listeners, and anew from the trial log when a search goes on: the log is the truth, and where both
differ the file is wrong. Unlike the study that draws candidates it holds nothing of a sampler's state. In remote
storage it is a copy, made now and then and at the end.
"""

from __future__ import annotations

import math
import tempfile
import time
import warnings
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from optuna import exceptions
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.study import StudyDirection, load_study
from optuna.trial import FrozenTrial, TrialState, create_trial

from distml.config.search import Cost
from distml.errors import StorageError
from distml.metrics import Metric
from distml.storage import Storage
from distml.training import EpochResult
from distml.tune.log import LoggedTrial
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.search import SearchListener
from distml.tune.space import SearchSpace
from distml.tune.study import told_as
from distml.tune.translation import distributions, params_of

_FLUSH_INTERVAL_S = 1.0  # between writes while no trial ends
_COPY_INTERVAL_S = 30.0  # between copies to remote storage
_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class StudyFile:
    """Implements `SearchListener`: writes what it hears. It begins with an empty file, and is told of the log first."""

    def __init__(
        self,
        storage: Storage,
        key: str,
        name: str,
        space: SearchSpace,
        metric: Metric,
        costs: Sequence[Cost],
        listener: SearchListener,
    ) -> None:
        self._space, self._costs, self._listener = space, tuple(costs), listener
        self._place = _Place(storage, key)
        self._backend = _Batches(self._place.path)
        self._journal = JournalStorage(self._backend)
        directions = [StudyDirection.MAXIMIZE if metric.sign > 0 else StudyDirection.MINIMIZE]
        self._study = self._journal.create_new_study([*directions, *(StudyDirection.MINIMIZE for _ in costs)], name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", exceptions.ExperimentalWarning)
            load_study(study_name=name, storage=self._journal).set_metric_names([metric.name, *costs])
        self._ids: dict[int, int] = {}
        self._is_broken = False

    def on_note(self, note: str) -> None:
        """Nothing of it is in a study."""

    def on_recall(self, trial: LoggedTrial) -> None:
        if trial.record is None:
            self._begin(trial.candidate)
            self._add(trial.candidate.number, trial.epochs)
        else:
            self._journal.create_new_trial(self._study, self._ended(trial.candidate, trial.epochs, trial.record))

    def on_start(self, candidate: Candidate) -> None:
        self._begin(candidate)
        self._flush()

    def _begin(self, candidate: Candidate) -> None:
        trial = self._trial(candidate, state=TrialState.RUNNING)
        self._ids[candidate.number] = self._journal.create_new_trial(self._study, trial)

    def _ended(self, candidate: Candidate, epochs: Sequence[EpochResult], record: TrialRecord) -> FrozenTrial:
        state = _STATES[told_as(record, self._costs)]
        trial = self._trial(
            candidate, state=state, values=self._values(record, state), intermediate_values=_curve(epochs)
        )
        trial.user_attrs |= _told(record)
        trial.datetime_complete = datetime.now(UTC)
        trial.datetime_start = trial.datetime_complete - timedelta(seconds=record.seconds)
        return trial

    def _trial(self, candidate: Candidate, **known: Any) -> FrozenTrial:
        return create_trial(
            params=params_of(self._space, candidate.family, candidate.params),
            distributions=distributions(self._space, candidate.family),
            user_attrs={"number": candidate.number, "family": candidate.family},
            **known,
        )

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        self._add(number, epochs)
        self._flush()

    def _add(self, number: int, epochs: Sequence[EpochResult]) -> None:
        for epoch, score in _curve(epochs).items():
            self._journal.set_trial_intermediate_value(self._ids[number], epoch, score)

    def on_end(self, record: TrialRecord) -> None:
        trial, state = self._ids[record.number], _STATES[told_as(record, self._costs)]
        for name, value in _told(record).items():
            self._journal.set_trial_user_attr(trial, name, value)
        self._journal.set_trial_state_values(trial, state, self._values(record, state))
        self._flush(is_due=True)

    def _values(self, record: TrialRecord, state: TrialState) -> list[float] | None:
        """One per objective. Optuna has none for a trial that is pruned under several."""
        if state is TrialState.FAIL or (state is TrialState.PRUNED and self._costs):
            return None
        assert record.score is not None
        return [record.score, *(record.objectives[name] for name in self._costs)]

    def close(self) -> None:
        """Writes what is left, and the copy in remote storage."""
        self._flush(is_due=True, is_last=True)

    def _flush(self, *, is_due: bool = False, is_last: bool = False) -> None:
        if self._is_broken:
            return
        try:
            self._backend.flush(0.0 if is_due else _FLUSH_INTERVAL_S)
            self._place.copy(0.0 if is_last else _COPY_INTERVAL_S)
        except (OSError, StorageError) as error:  # the log has it all: the search goes on
            self._is_broken = True
            self._listener.on_note(f"the Optuna study is no longer written: {error}")


def _curve(epochs: Sequence[EpochResult]) -> dict[int, float]:
    return {epoch.epoch: epoch.score for epoch in epochs if epoch.score is not None and math.isfinite(epoch.score)}


def _told(record: TrialRecord) -> dict[str, Any]:
    told = {"state": record.state, "best_epoch": record.best_epoch, "seconds": record.seconds}
    return told | ({"reason": record.reason} if record.reason else {})


class _Batches(BaseJournalBackend):
    """Optuna's journal file, written many lines at once: each of its own writes locks the file and syncs it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (path, Path(f"{path}.lock")):  # a lock of a process that was killed would hold for 30 s
            leftover.unlink(missing_ok=True)
        self._file = JournalFileBackend(str(path))
        self._lines: list[dict[str, Any]] = []  # not yet in the file
        self._num_written = 0
        self._written_at = time.monotonic()

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        yield from self._lines[log_number_from - self._num_written :]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._lines += logs

    def flush(self, after_s: float) -> None:
        """Writes what is new if the last time is so long ago."""
        if not self._lines or time.monotonic() - self._written_at < after_s:
            return
        self._file.append_logs(self._lines)
        self._num_written += len(self._lines)
        self._lines = []
        self._written_at = time.monotonic()


class _Place:
    """Where the file is written: in local storage itself, or in a folder of this process that is copied from."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage, self._key = storage, key
        self._folder = None if storage.is_local else tempfile.TemporaryDirectory(prefix="distml-")
        self.path = Path(storage.uri(key)) if self._folder is None else Path(self._folder.name, "study.log")
        self._copied_at = 0.0

    def copy(self, after_s: float) -> None:
        if self._folder is not None and time.monotonic() - self._copied_at >= after_s:
            self._storage.write_bytes(self._key, self.path.read_bytes())
            self._copied_at = time.monotonic()
