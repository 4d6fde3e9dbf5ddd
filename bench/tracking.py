"""What tracking costs a search: calls and milliseconds per trial, through the outbox and one call at a time.

    python bench/tracking.py                                   # 40 trials of 30 epochs, an SQLite database
    python bench/tracking.py --uri http://127.0.0.1:5000       # a server that is there

The trials are no fits: their epochs come every `--epoch-s` seconds, two trials at once. `put` is what the search's own
thread pays; `sent` is the writer thread's time in MLflow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from distml.storage import Storage
from distml.tracking import Outbox, Point, Sender, Spool
from distml.tracking.entries import End, Entry, Start, log, now_ms
from distml.tracking.mlflow import MlflowTracker, embedded_uri

CALLS = ("create_run", "log_batch", "update_run", "set_terminated", "search_runs", "get_metric_history")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--uri")
    options.add_argument("--trials", type=int, default=40)
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--epoch-s", type=float, default=0.02)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tracker = MlflowTracker(chosen.uri or embedded_uri(folder), "bench", artifacts=None if chosen.uri else folder)
        for name, measure in (("outbox", through_outbox), ("one by one", one_by_one)):
            with counted(tracker.client) as (calls, seconds):
                put_s = measure(tracker, Storage(folder), chosen)
            n = chosen.trials
            print(
                f"{name:<11} {sum(calls.values()) / n:6.1f} calls a trial {1000 * sum(seconds.values()) / n:7.1f} ms "
                f"sent a trial {1000 * put_s / n:7.2f} ms put a trial   {dict(calls)}"
            )


def through_outbox(tracker: MlflowTracker, storage: Storage, chosen: Any) -> float:
    run = tracker.start_run("outbox")
    outbox = Outbox(Sender(tracker, run, storage), Spool(storage, "tracking"))
    put_s = search(chosen, outbox.put)
    outbox.put(End(status="FINISHED"))
    assert outbox.close(60) == 0
    return put_s


def one_by_one(tracker: MlflowTracker, storage: Storage, chosen: Any) -> float:
    sender = Sender(tracker, tracker.start_run("one by one"), storage)
    put_s = search(chosen, sender.send)
    sender.send(End(status="FINISHED"))
    return put_s


def search(chosen: Any, put: Callable[[Entry], None]) -> float:
    """Seconds that the search's thread spent in `put`."""
    spent_s = 0.0
    for pair in range(chosen.trials // 2):
        keys = (f"{pair}-a", f"{pair}-b")
        for told in trials(keys, chosen.epochs):
            if told is None:
                time.sleep(chosen.epoch_s)
                continue
            began = time.perf_counter()
            put(told)
            spent_s += time.perf_counter() - began
    return spent_s


def trials(keys: tuple[str, ...], num_epochs: int) -> Iterator[Entry | None]:
    """What two trials say; None: an epoch's time goes by."""
    for key in keys:
        yield Start(run=key, name=key, tags={"distml.trial": key})
        yield log(key, params={f"p{i}": i / 7 for i in range(12)})
    for epoch in range(1, num_epochs + 1):
        yield None
        for key in keys:
            yield log(
                key, points=[Point(name, 1 / epoch, epoch, now_ms()) for name in ("train_loss", "validation_auc")]
            )
    for key in keys:
        yield log(key, tags={"distml.state": "finished"})
        yield End(run=key, status="FINISHED")


@contextmanager
def counted(client: Any) -> Iterator[tuple[Counter[str], Counter[str]]]:
    """Calls of MLflow's client, and the seconds that they took."""
    calls: Counter[str] = Counter()
    seconds: Counter[str] = Counter()

    def counting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted_call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            result = call(*args, **kwargs)
            calls[name] += 1
            seconds[name] += time.perf_counter() - began
            return result

        return counted_call

    for name in CALLS:
        setattr(client, name, counting(name, getattr(type(client), name).__get__(client)))
    yield calls, seconds
    for name in CALLS:
        delattr(client, name)


if __name__ == "__main__":
    main()
