import pytest

from distml.config import RunConfig
from distml.lifecycle.compare import compare, config_differences, made_before, prepared_of
from distml.metrics import METRICS
from distml.storage import Storage

BINARY = {
    "target": {"kind": "classes", "labels": ["no", "yes"]},
    "num_rows": {"train": 70, "validation": 15, "test": 15},
}
MULTICLASS = {**BINARY, "target": {"kind": "classes", "labels": ["a", "b", "c"]}}
REGRESSION = {**BINARY, "target": {"kind": "number", "mean": 0.0, "scale": 1.0}}


def record(run="r1", *, started_at="2026-01-01", stages=None, test=None, validation=None, **result):
    config = RunConfig(name="churn", data={"source": {"uri": "t.csv"}, "target": "y"})
    metrics = {"test": test, "validation": validation}
    return {
        "run": run, "started_at": started_at, "config": config.to_dict(),
        "stages": {"prepare": "p1"} if stages is None else stages, "result": {"metrics": metrics, **result},
    }  # fmt: skip


def test_metrics_stand_beside_each_other_with_their_direction():
    runs = [record(test={"roc_auc": 0.75, "log_loss": 0.5}), record("r2", test={"roc_auc": 0.875, "log_loss": 0.625})]
    assert compare(runs, [BINARY, BINARY])["metrics"] == {
        "test": {
            "roc_auc": {
                "direction": "maximize", "values": [0.75, 0.875], "differences": [0, 0.125], "are_better": [None, True],
            },
            "log_loss": {
                "direction": "minimize", "values": [0.5, 0.625], "differences": [0, 0.125], "are_better": [None, False],
            },
        },
        "validation": {},
    }  # fmt: skip


def test_differences_are_from_the_first_of_several():
    runs = [record(str(i), validation={"rmse": value}) for i, value in enumerate((4.0, 3.0, 5.0, 4.0))]
    found = compare(runs, [REGRESSION] * 4)["metrics"]["validation"]["rmse"]
    assert found["differences"] == [0, -1, 1, 0]
    assert found["are_better"] == [None, True, False, None]


def test_a_metric_that_a_run_lacks_or_that_was_undefined_has_no_difference():
    runs = [record(test={"roc_auc": 0.75}), record("r2", test={"roc_auc": None}), record("r3")]
    found = compare(runs, [BINARY] * 3)["metrics"]["test"]["roc_auc"]
    assert (found["values"], found["differences"], found["are_better"]) == (
        [0.75, None, None], [0, None, None], [None, None, None],
    )  # fmt: skip
    first = compare(runs[1:], [BINARY] * 2)["metrics"]["test"]["roc_auc"]
    assert first["differences"] == [None, None]


def test_runs_of_unlike_tasks_are_said_to_be_so_and_not_compared():
    runs = [record(test={"accuracy": 0.75}), record("r2", test={"accuracy": 0.875}), record("r3", test={"rmse": 1.0})]
    found = compare(runs, [BINARY, MULTICLASS, REGRESSION])
    assert found["tasks"] == ["binary", "multiclass", "regression"]
    assert found["remarks"] == [
        "the runs are of unlike tasks (binary, multiclass, regression): their metrics don't compare"
    ]
    assert found["metrics"]["test"]["accuracy"]["values"] == [0.75, 0.875, None]
    assert found["metrics"]["test"]["accuracy"]["differences"] == [None, None, None]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_without_its_preparation_a_runs_task_is_known_by_its_metrics(task):
    scores = {metric.name: 0.5 for metric in METRICS.values() if task in metric.tasks}
    assert compare([record(test=scores), record("r2")], [None, None])["tasks"] == [task, None]


def test_a_run_that_did_not_get_far_is_unlike_none():
    stopped = {**record("r2", stages={}), "result": None}
    found = compare([record(test={"roc_auc": 0.75}), stopped], [BINARY, None])
    assert found["tasks"] == ["binary", None]
    assert found["data"] == {"prepared": ["p1", None], "are_same": False, "num_rows": [BINARY["num_rows"], None]}
    assert (found["best"], found["versions"], found["verdicts"]) == ([None, None], [None, None], [None, None])


@pytest.mark.parametrize(
    ("second", "are_same"), [("p1", True), ("p2", False)], ids=["prepared alike", "prepared otherwise"]
)
def test_other_data_is_remarked(second, are_same):
    runs = [record(), record("r2", stages={"prepare": second})]
    found = compare(runs, [BINARY, BINARY])
    assert found["data"]["are_same"] is are_same
    assert [remark.partition(":")[0] for remark in found["remarks"]] == (
        [] if are_same else ["the runs were not prepared from the same table in the same way"]
    )


def test_only_keys_that_differ_are_named():
    configs = [
        {"seed": 0, "data": {"target": "y", "exclude": []}, "gates": {}},
        {"seed": 0, "data": {"target": "z", "exclude": []}, "gates": {}},
        {"seed": 0, "data": {"target": "y", "exclude": ["a"]}, "gates": {"auc": {"threshold": 0.5}}},
    ]
    assert config_differences(configs) == {
        "data.exclude": [[], [], ["a"]],
        "data.target": ["y", "z", "y"],
        "gates": [{}, {}, None],
        "gates.auc.threshold": [None, None, 0.5],
    }


def test_what_a_run_took_up_names_the_run_that_made_it():
    first = record("r1", started_at="2026-01-01", stages={"prepare": "p1", "tune": "s1", "train": "t1", "gate": "t1"})
    second = record("r2", started_at="2026-01-02", stages={"prepare": "p1", "tune": "s2", "train": "t2"})
    third = record("r3", started_at="2026-01-03", stages={"prepare": "p1", "tune": "s2", "train": "t3", "gate": "t1"})
    records = [first, second, third]
    assert [made_before(run, records) for run in records] == [{}, {"prepare": "r1"}, {"prepare": "r1", "tune": "r2"}]


def test_a_stage_that_two_runs_lack_is_no_stage_in_common():
    records = [record("r1", started_at="2026-01-01", stages={}), record("r2", started_at="2026-01-02", stages={})]
    assert made_before(records[1], records) == {}


def test_what_preparation_came_to_is_read_while_it_is_there(tmp_path):
    storage = Storage(tmp_path)
    assert prepared_of(storage, record()) is None
    assert prepared_of(storage, record(stages={})) is None
    storage.write_json("prepared/p1/result.json", BINARY)
    assert prepared_of(storage, record()) == BINARY
