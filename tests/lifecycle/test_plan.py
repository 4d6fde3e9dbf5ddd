"""`plan` says what `run` then does: its stages are found under the keys that a run gives them."""

from __future__ import annotations

import pytest

from distml.cluster.capacity import Capacity, Node
from distml.config import parse_config
from distml.errors import ConfigError, DataError
from distml.lifecycle.plan import plan
from distml.lifecycle.reporter import Silent
from distml.lifecycle.run import Resources, run
from distml.lifecycle.runs import list_runs
from distml.storage import Storage
from distml.tracking.base import MemoryTracker

HERE = Capacity(nodes=(Node(name="here", cpu=4, memory=8 * 10**9, object_store=10**9),))


def config(folder, **changes):
    lines = {
        "name": "tiny",
        "storage": str(folder / "store"),
        "data": "{source: {uri: 'sklearn:breast_cancer'}, target: target, task: binary, positive: malignant}",
        "model": "{families: [linear]}",
        "search": "{num_samples: 3, metric: log_loss}",
        "train": "{max_epochs: 2}",
        **changes,
    }
    return parse_config("\n".join(f"{key}: {value}" for key, value in lines.items()))


def resources(reporter=None):
    return Resources(tracker=MemoryTracker(), reporter=reporter or Silent())


def states(planned):
    return {stage.stage: stage.state for stage in planned.stages}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with one finished run, and that run."""
    folder = tmp_path_factory.mktemp("ran")
    return folder, run(config(folder), resources())


def test_before_any_run_every_stage_runs(tmp_path):
    planned = plan(config(tmp_path), HERE)
    assert states(planned) == {
        "prepare": "runs", "tune": "runs", "train": "runs", "evaluate": "depends", "gate": "runs",
    }  # fmt: skip
    assert planned.trials.num_left == planned.trials.num_samples == 3
    assert planned.trials.at_once == 3
    assert planned.rows["source"].num_rows == 569 and planned.rows["source"].is_exact
    assert planned.seconds is None and planned.basis == ()
    assert list(tmp_path.iterdir()) == []


def test_after_a_run_its_stages_are_there_under_the_keys_that_it_used(ran):
    folder, result = ran
    planned = plan(config(folder), HERE)
    assert states(planned) == {
        "prepare": "cached", "tune": "cached", "train": "cached", "evaluate": "cached", "gate": "runs",
    }  # fmt: skip
    keys = {stage.stage: stage.key for stage in planned.stages}
    stages = list_runs(Storage(folder / "store"))[0]["stages"]
    assert {name: keys[name] for name in ("prepare", "tune", "train")} == {
        name: stages[name] for name in ("prepare", "tune", "train")
    }
    assert planned.seconds == 0
    assert planned.trials.num_left == 0
    assert {split: extent.num_rows for split, extent in planned.rows.items()} == result.prepared.num_rows


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"seed": 1}, "prepare"),
        ({"clean": "{duplicates: keep}"}, "prepare"),
        ({"search": "{num_samples: 4, metric: log_loss}"}, "tune"),
        ({"train": "{max_epochs: 3}"}, "tune"),
        ({"evaluate": "{slices: [mean_radius]}"}, "evaluate"),
        ({"gates": "{roc_auc: {threshold: 0.9}}"}, "gate"),
        ({"serve": "{port: 8111}"}, "gate"),
    ],
)
def test_a_change_is_worked_on_from_the_first_stage_that_it_concerns(ran, changes, first):
    folder, _ = ran
    found = states(plan(config(folder, **changes), HERE))
    order = ["prepare", "tune", "train", "evaluate", "gate"]
    cached = [stage for stage in order if found[stage] == "cached"]
    assert cached == order[: order.index(first)]


def test_plan_and_run_agree_on_what_is_reused(ran):
    folder, _ = ran
    changed = config(folder, search="{num_samples: 4, metric: log_loss}")
    assert states(plan(changed, HERE))["prepare"] == "cached"
    result = run(changed, resources())
    assert not result.searched.was_reused
    assert set(states(plan(changed, HERE)).values()) == {"cached", "runs"}
    assert run(changed, resources()).searched.was_reused


def test_a_search_that_was_cut_off_goes_on(tmp_path):
    class Interrupting(Silent):
        def trial(self, record, best, num_done, num_samples):
            if num_done == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config(tmp_path), resources(Interrupting()))
    planned = plan(config(tmp_path), HERE)
    assert states(planned)["tune"] == "goes on"
    assert (planned.trials.num_ended, planned.trials.num_left) == (2, 1)
    assert planned.stages[1].note == "2 of 3 trials have ended"


def test_time_is_that_of_the_run_before_scaled_by_trials(ran):
    folder, _ = ran
    changed = config(folder, search="{num_samples: 40, metric: log_loss}")
    planned = plan(changed, HERE)
    seconds = {stage.stage: stage.seconds for stage in planned.stages}
    (basis,) = planned.basis
    (record,) = [record for record in list_runs(Storage(folder / "store")) if record["run"] == basis]
    assert seconds["prepare"] == 0
    assert seconds["train"] == record["seconds"]["train"]
    assert seconds["tune"] == pytest.approx(record["seconds"]["tune"] * 40 / record["config"]["search"]["num_samples"])
    assert planned.seconds == sum(seconds.values()) > 0


def test_a_time_budget_bounds_the_search(ran):
    folder, _ = ran
    planned = plan(config(folder, search="{num_samples: 100000, metric: log_loss, time_budget_s: 7}"), HERE)
    assert planned.stages[1].seconds == 7


def test_device_hours_bound_it_by_how_many_trials_run_at_once(ran):
    folder, _ = ran
    planned = plan(config(folder, search="{num_samples: 100000, metric: log_loss, device_hours: 0.01}"), HERE)
    assert planned.stages[1].seconds == pytest.approx(36 / planned.trials.at_once)


def test_a_family_that_no_earlier_trial_tells_of_leaves_the_time_unknown(ran):
    folder, _ = ran
    planned = plan(config(folder, model="{families: [linear, tabm]}"), HERE)
    assert (planned.stages[1].seconds, planned.seconds) == (None, None)
    assert planned.stages[1].note == "no earlier trial tells of tabm"


def test_features_as_prepared_are_no_more_than_what_was_estimated(ran, tmp_path):
    folder, _ = ran
    estimated, known = plan(config(tmp_path), HERE).feature_bytes, plan(config(folder), HERE).feature_bytes
    assert estimated.keys() == known.keys() == {"dense"}
    # A shard's header comes on top of the numbers.
    assert 0.3 * estimated["dense"] < known["dense"] < estimated["dense"]


def test_features_that_fit_no_object_store_are_warned_of(tmp_path):
    small = Capacity(nodes=(Node(name="here", cpu=4, memory=200_000, object_store=100_000),))
    store, memory = plan(config(tmp_path, train="{stream: never}"), small).warnings
    assert "147.9 kB don't fit an object store of 100.0 kB" in store
    assert "takes up to 295.9 kB" in memory and "a node has 200.0 kB" in memory
    assert not plan(config(tmp_path), small).warnings  # networks read from storage what is so much


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"search": "{resources_per_trial: {cpu: 5}}"}, "search.resources_per_trial"),
        ({"search": "{resources_per_trial: {gpu: 1}}"}, "search.resources_per_trial"),
        ({"serve": "{num_cpus: 5}"}, "serve.num_cpus"),
        ({"train": "{device: cuda}"}, "train.device"),
    ],
)
def test_what_never_fits_is_refused_before_a_table_is_read(tmp_path, changes, where):
    missing = "{source: {uri: nothing.csv}, target: y}"
    with pytest.raises(ConfigError) as refusal:
        plan(config(tmp_path, data=missing, **changes), HERE)
    assert refusal.value.where == where


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.csv"):
        plan(config(tmp_path, data="{source: {uri: nothing.csv}, target: y}"), HERE)


def test_what_a_known_table_lacks_is_refused(ran):
    folder, _ = ran
    with pytest.raises(DataError, match="nowhere"):
        plan(config(folder, evaluate="{slices: [nowhere]}"), HERE)


def test_a_variable_that_is_not_set_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("DISTML_NO_SUCH", raising=False)
    with pytest.raises(ConfigError, match="DISTML_NO_SUCH"):
        plan(config(tmp_path, tracking="{uri: 'http://ann:${DISTML_NO_SUCH}@host'}"), HERE)
