"""One fit by several workers on a cluster, by Ray Train: what `fit` does, and the same result.

Ray Train's controller starts the workers in a placement group of their own, joins them (gloo, or NCCL where each has a
GPU) and ends them. The worker that leads runs the fit; the others follow it. Each of its epochs goes to the process
that called `fit_distributed`, which answers whether to go on. That process needs no CPU of its own; if it held one,
workers might wait for it for ever.

Ray Tune's own `TuneReportCallback` isn't used: it hands results to the trial from a second queue, which waits for ever
when the trial's function ends meanwhile, and it brings no answer back.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distml import code
from distml.batch import FeatureBatch
from distml.config.base import ResourcesConfig
from distml.errors import DistmlError, TrainingError
from distml.metrics import Metric
from distml.models import ModelSpec, load_model
from distml.models.own import told_where
from distml.training.base import EpochResult, FitResult, FitSettings, Notes, OnEpoch, OnNote
from distml.training.course import Course
from distml.training.fit import fit, is_shareable
from distml.training.line import CLOSED, Line, Told
from distml.training.shards import Shards

if TYPE_CHECKING:
    from distml.training.group import Group

MAX_WORKER_DEATHS = 2  # after which a fit goes on from its checkpoint; one more and it has failed
_POLL_S = 1.0
_END_S = 30.0  # for a controller that has lost its owner to be gone

# Read by Ray Train where a fit begins and in its controller. It looks after its workers as often as the interval says,
# and a fit ends at such a look. The watcher warns of nodes about to be taken away: checkpoints are written anyway.
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1")
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
os.environ.setdefault("RAY_TRAIN_METRICS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING", "0")

import ray  # noqa: E402
from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: E402
from ray.train.torch import TorchConfig, TorchTrainer  # noqa: E402


@dataclass(frozen=True)
class Stored:
    """Rows in the object store: one copy on each node, whoever reads them."""

    reference: ray.ObjectRef

    def get(self) -> FeatureBatch:
        return ray.get(self.reference)


Held = FeatureBatch | Shards | Stored


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What every worker is given; rows stay in the object store, one copy on each node."""

    spec: ModelSpec
    train: Held
    validation: Held | None
    metric: Metric
    settings: FitSettings


def fit_distributed(
    spec: ModelSpec,
    train: Held,
    validation: Held | None,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch = lambda result: None,
    on_note: OnNote = lambda line: None,
    *,
    workers: int,
    resources: ResourcesConfig,
) -> FitResult:
    """As `fit`, by so many workers, each of which reserves `resources` on some node. Trees are fitted here, by one.

    train, validation: rows, or rows `Stored` before, which spares a copy for each fit.
    Raises `TrainingError` as `fit` does, and when workers die more than `MAX_WORKER_DEATHS` times.
    """
    notes = Notes(on_note)
    if not is_shareable(spec.family, spec.code):
        notes(f"{spec.family}: fitted by one worker")
        return _noted(fit(spec, _rows(train), _rows(validation), metric, settings, on_epoch, notes), notes)
    job = _Job(
        spec=spec, train=stored(train), validation=stored(validation), metric=metric,
        settings=_for_a_worker(settings, resources),
    )  # fmt: skip
    notes(f"{workers} workers, joined by {_backend(resources)}")
    for num_deaths in range(1, MAX_WORKER_DEATHS + 2):
        try:
            return _noted(_fit(job, on_epoch, notes, workers, resources), notes)
        except _WorkersLost as lost:
            reason = lost
            if num_deaths <= MAX_WORKER_DEATHS:
                notes(f"{'a' if num_deaths == 1 else 'another'} worker died; others take the fit up")
    raise TrainingError("workers live as long as their fit", received=f"{num_deaths} deaths, last: {reason}")


def _noted(result: FitResult, notes: Notes) -> FitResult:
    return replace(result, notes=tuple(notes.lines))


def reap() -> None:
    """Frees what the workers of fits that are over still hold; returns when all is free.

    A placement group outlives the actor that made it as long as the job does. Ray Train's own cleaner asks the
    dashboard, which local clusters have none of.
    """
    end = time.monotonic() + _END_S
    while _remove_left_over() and time.monotonic() < end:
        time.sleep(0.1)


class _WorkersLost(Exception):
    """Workers died, for a reason that is none of the fit's own."""


def _for_a_worker(settings: FitSettings, resources: ResourcesConfig) -> FitSettings:
    """What isn't reserved isn't used."""
    config = settings.config
    if not resources.gpu and config.device == "auto":
        config = config.model_copy(update={"device": "cpu"})
    return replace(settings, config=config, num_threads=max(1, int(resources.cpu)))


def _backend(resources: ResourcesConfig) -> str:
    """NCCL joins no two workers on one GPU."""
    return "nccl" if resources.gpu >= 1 else "gloo"


def stored(rows: Any) -> Any:
    """Rows in the object store; those that are streamed from storage stay there."""
    return Stored(ray.put(rows)) if isinstance(rows, FeatureBatch) else rows


def _rows(rows: Any) -> Any:
    return rows.get() if isinstance(rows, Stored) else rows


def _fit(job: _Job, on_epoch: OnEpoch, on_note: OnNote, workers: int, resources: ResourcesConfig) -> FitResult:
    """One attempt, from the checkpoint if there is one, to its end or to the death of a worker."""
    line = ray.remote(num_cpus=0)(Line).remote()
    trainer = _Trainer(
        _work,
        train_loop_config={"job": job, "line": line, "allowed": code.allowed()},
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=resources.gpu > 0,
            resources_per_worker={"CPU": resources.cpu, **({"GPU": resources.gpu} if resources.gpu else {})},
        ),
        torch_config=TorchConfig(backend=_backend(resources)),
        run_config=_nothing_kept(),
    )
    fitting = _in_thread(trainer)
    fitting.add_done_callback(lambda _: line.close.remote())
    _attend(line, on_epoch, on_note)
    try:
        returned = fitting.result().return_value
    except ray.train.WorkerGroupError as error:
        raise _cause(error) from error
    if isinstance(returned, DistmlError):
        raise returned
    return _unpacked(returned)


class _Trainer(TorchTrainer):
    """Without some of Ray Train's habits: workers stay in the folder that they are in, for paths in a config are
    relative to it; no cleaner is started that lives for ever where there is no dashboard (see `reap`), and no actor for
    datasets, as there are none.
    """

    def _create_default_callbacks(self) -> list[Any]:
        left_out = ("PlacementGroupCleanerCallback", "WorkingDirectorySetupCallback", "DatasetsCallback")
        return [callback for callback in super()._create_default_callbacks() if type(callback).__name__ not in left_out]


def _nothing_kept() -> RunConfig:
    """Ray Train wants a place that all nodes reach, for checkpoints of its own; fits have theirs in storage."""
    from fsspec.implementations.memory import MemoryFileSystem
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    return RunConfig(
        name="fit",
        storage_path="distml",
        storage_filesystem=PyFileSystem(FSSpecHandler(MemoryFileSystem())),
        failure_config=FailureConfig(max_failures=0),
        worker_runtime_env={"env_vars": _on_loopback()},
    )


def _on_loopback() -> dict[str, str]:
    """On a cluster of this machine alone gloo stays there too; it would listen on the address of the host's name."""
    is_local = ray.util.get_node_ip_address() == "127.0.0.1" and Path("/sys/class/net/lo").exists()
    return {"GLOO_SOCKET_IFNAME": "lo"} if is_local else {}


def _in_thread(trainer: TorchTrainer) -> Future[Any]:
    """A trainer's fit in a thread that ends with the process."""
    fitting: Future[Any] = Future()

    def run() -> None:
        try:
            fitting.set_result(trainer.fit())
        except BaseException as error:  # noqa: BLE001 - whoever waits hears of it
            fitting.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return fitting


def _attend(line: Any, on_epoch: OnEpoch, on_note: OnNote) -> None:
    """Passes on what the leading worker tells until the fit is over.

    Where whoever hears of an epoch raises, as Ray Tune does for a trial that it ends, the workers are let end first.
    """
    raised: BaseException | None = None
    for number, kind, value in _heard(line):
        answer: bool | None = False
        if kind == "note":
            on_note(value)
        elif raised is None:
            try:
                answer = on_epoch(EpochResult(**value))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - raised again below
                raised = error
        line.answer.remote(number, answer)
    if raised is not None:
        raise raised


def _heard(line: Any) -> Iterator[Told]:
    """What is told on a line until it is closed; while nothing is, what dead fits hold is freed for this one."""
    while True:
        heard = ray.get(line.hear.remote(_POLL_S))
        if heard is None:
            _remove_left_over()
        elif heard[1] == CLOSED:
            return
        else:
            yield heard


def _work(config: dict[str, Any]) -> Any:
    """Runs in every worker; what the leading one returns is the fit's result, packed, or the error that ended it."""
    from distml.training.group import Group

    code.allow(config["allowed"])
    job: _Job = config["job"]
    line = config["line"]
    group = Group()

    def tell(kind: str, value: Any) -> Any:
        return ray.get(line.tell.remote(kind, value)) if group.leads else None

    with told_where(job.spec):
        return _shared_fit(job, group, tell)


def _shared_fit(job: _Job, group: Group, tell: Callable[[str, Any], Any]) -> Any:
    from distml.training.shared import SharedLearner

    notes = Notes(lambda text: tell("note", text))
    learner = SharedLearner(job.spec, _rows(job.train), job.settings, notes, group)
    if not group.leads:
        learner.follow()
        return None
    course = Course(learner, _rows(job.validation), job.metric, job.settings, notes)
    try:
        result = course.run(lambda epoch: tell("epoch", asdict(epoch)))
    except DistmlError as error:
        learner.end()
        return error
    learner.end()
    return _packed(result)


def _packed(result: FitResult) -> dict[str, Any]:
    """A result whose model is the files that it is stored as."""
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    with tempfile.TemporaryDirectory() as folder:
        result.fitted.save(Path(folder))
        fields["model"] = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    return fields


def _unpacked(fields: dict[str, Any]) -> FitResult:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in fields["model"].items():
            (Path(folder) / name).write_bytes(content)
        return FitResult(**{**fields, "model": load_model(Path(folder))})


def _cause(error: ray.train.WorkerGroupError) -> BaseException:
    """A worker's own error, or `_WorkersLost` where there are only deaths, and the errors of those that missed them."""
    from distml.training.group import WorkerLost

    raised = [getattr(failure, "_base_exc", failure) for failure in error.worker_failures.values()]
    own = [cause for cause in raised if not isinstance(cause, (WorkerLost, ray.exceptions.RayError))]
    if own and not isinstance(own[0], ray.train.v2._internal.exceptions.RayTrainError):
        return own[0]
    deaths = [cause for cause in raised if not isinstance(cause, WorkerLost)] or raised
    return _WorkersLost(f"{type(deaths[0]).__name__}: {' '.join(str(deaths[0]).split())[:300]}")


def _remove_left_over() -> int:
    """Removes this job's placement groups whose maker is dead; how many of those that actors made there still are."""
    from ray._private.state import state
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData
    from ray.util.placement_group import PlacementGroup, remove_placement_group

    job = bytes.fromhex(ray.get_runtime_context().get_job_id())
    written = state._connect_and_get_accessor().get_placement_group_table()
    table = [PlacementGroupTableData.FromString(group) for group in written]
    left = [
        group
        for group in table
        if group.creator_job_id == job
        and group.creator_actor_id.strip(b"\xff")
        and not group.is_detached
        and group.state != PlacementGroupTableData.REMOVED
    ]
    for group in left:
        if group.creator_actor_dead:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))
    return len(left)
