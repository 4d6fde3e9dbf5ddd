"""Two drivers at one fresh SQLite database at once, each with 32 trials: no lock, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from distml.tracking.mlflow import MlflowTracker, embedded_uri

NUM_TRIALS, NUM_EPOCHS = 32, 20
DRIVER = f"""
import sys
from distml.storage import Storage
from distml.tracking import Outbox, Point, Sender, Spool
from distml.tracking.entries import End, Start, log, now_ms
from distml.tracking.mlflow import MlflowTracker, embedded_uri

folder, name = sys.argv[1:]
tracker = MlflowTracker(embedded_uri(folder), "churn", artifacts=folder + "/artifacts")
run = tracker.start_run(name)
storage = Storage(folder)
outbox = Outbox(Sender(tracker, run, storage), Spool(storage, name), interval_s=0.0)  # as many calls as it can make
keys = [f"{{name}}-{{number}}" for number in range({NUM_TRIALS})]
for key in keys:
    outbox.put(Start(run=key, name=key, tags={{}}))
for epoch in range(1, {NUM_EPOCHS} + 1):
    for key in keys:
        outbox.put(log(key, points=[Point("loss", 1 / epoch, epoch, now_ms()), Point("score", 0.5, epoch, now_ms())]))
for key in keys:
    outbox.put(log(key, tags={{"distml.state": "finished"}}))
    outbox.put(End(run=key, status="FINISHED"))
outbox.put(End(status="FINISHED"))
left = outbox.close(120.0)
print(left, *outbox.notes(), sep="\\n")
"""


@pytest.mark.timeout(300)
def test_two_drivers_write_to_one_fresh_database(tmp_path):
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second")
    ]
    for driver in drivers:
        told, errors = driver.communicate()
        assert driver.returncode == 0, errors
        assert told.splitlines() == ["0"], told  # nothing left, and never a note: no call failed
    tracker = MlflowTracker(embedded_uri(str(tmp_path)), "churn")
    runs = tracker.client.search_runs([tracker._experiment], max_results=1000)
    assert Counter(run.info.status for run in runs) == {"FINISHED": 2 * (NUM_TRIALS + 1)}
    trials = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(trials) == 2 * NUM_TRIALS
    for run in trials:
        for metric in ("loss", "score"):
            history = tracker.client.get_metric_history(run.info.run_id, metric)
            assert [point.step for point in history] == list(range(1, NUM_EPOCHS + 1))
