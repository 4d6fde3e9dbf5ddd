import orjson
import pytest
from pydantic import ValidationError

from distml.config import CleanConfig, DataConfig, RuleConfig, RunConfig, SourceConfig, SplitConfig

DATA = {"source": {"uri": "a.csv"}, "target": "y"}


def run(**sections) -> RunConfig:
    return RunConfig.model_validate({"name": "demo", "data": DATA, **sections})


def test_configs_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        run().seed = 3


def test_defaults():
    config = run()
    assert config.storage == "./distml-store"
    assert config.model.families == ("trees", "linear", "mlp", "tabm")
    assert (config.split.kind, config.split.validation, config.split.test) == ("auto", 0.15, 0.15)
    assert config.clean.duplicates == "drop"
    assert config.data.source.missing == ("",)
    assert config.gates.metrics == {}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"name": "Demo"}, "pattern"),
        ({"name": "-a"}, "pattern"),
        ({"name": "a" * 64}, "pattern"),
        ({"seed": 2**31}, "less than"),
        ({"split": {"validation": 0}}, "greater than 0"),
        ({"split": {"validation": 0.5, "test": 0.5}}, "leave nothing to train on"),
        ({"model": {"families": []}}, "at least one family"),
        ({"model": {"families": ["linear", "linear"]}}, "each once"),
        ({"search": {"num_samples": 0}}, "greater than or equal to 1"),
        ({"search": {"space": {"mlp": {}}}, "model": {"families": "linear"}}, "which model.families does not"),
        ({"storage": "s3://bucket/x"}, "set tracking.uri"),
        ({"serve": {"route": "predict"}}, "pattern"),
        ({"serve": {"port": 80}}, "1024"),
        ({"serve": {"host": "0.0.0.0"}}, r"127\.0\.0\.1"),
        ({"serve": {"autoscaling": {"min_replicas": 3, "max_replicas": 2}}}, "3 is above max_replicas 2"),
        ({"gates": {"roc_auc": {"min_absolute_change": -0.1}}}, "greater than or equal to 0"),
        ({"gates": {"significance": 1}}, "less than 1"),
        ({"monitor": {"window_rows": 10}}, "greater than or equal to 50"),
        ({"clean": {"rules": {"a": {}}}}, "needs `min`, `max` or `allowed`"),
        ({"features": {"columns": {"a": {"min_count": 0}}}}, "greater than or equal to 1"),
    ],
)
def test_refused(sections, message):
    with pytest.raises(ValidationError, match=message):
        run(**sections)


@pytest.mark.parametrize(
    "sections",
    [
        {"name": "0_a-b"},
        {"name": "a" * 63},
        {"seed": 2**31 - 1},
        {"split": {"validation": 0.5, "test": 0.49}},
        {"split": {"test": 0}},
        {"storage": "s3://bucket/x", "tracking": {"uri": "http://host"}},
        {"storage": "file:///x"},
        {"serve": {"autoscaling": {"min_replicas": 0}}},
        {"gates": {"significance": None}},
    ],
)
def test_accepted_at_the_boundary(sections):
    assert isinstance(run(**sections), RunConfig)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uri": "a", "header": False}, "needs `columns`"),
        ({"uri": "a", "delimiter": "ab"}, "one character, or whitespace"),
        ({"uri": "a", "encoding": "klingon"}, "one that Python knows"),
        ({"uri": "a", "format": "sklearn"}, "sklearn:NAME"),
        ({"uri": "a", "format": "xlsx"}, "auto"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        SourceConfig(**values)


@pytest.mark.parametrize(
    ("missing", "tokens"), [("?", ("", "?")), (["?", "NA"], ("", "?", "NA")), (["NA", ""], ("NA", "")), ([], ("",))]
)
def test_an_empty_text_is_always_missing(missing, tokens):
    assert SourceConfig(uri="a", missing=missing).missing == tokens


@pytest.mark.parametrize("role", [{"roles": {"id": "y"}}, {"roles": {"time": "y"}}, {"roles": {"weight": "y"}},
                                  {"exclude": "y"}])  # fmt: skip
def test_the_target_has_no_other_role(role):
    with pytest.raises(ValidationError, match="the target 'y' can't also be"):
        DataConfig.model_validate({**DATA, **role})


@pytest.mark.parametrize(
    ("kind", "task", "is_refused"),
    [
        ("datetime", "auto", True),
        ("numeric", "binary", True),
        ("numeric", "multiclass", True),
        ("categorical", "regression", True),
        ("boolean", "regression", True),
        ("numeric", "regression", False),
        ("numeric", "auto", False),
        ("categorical", "binary", False),
        ("categorical", "auto", False),
    ],
)
def test_the_targets_kind_suits_the_task(kind, task, is_refused):
    values = {**DATA, "kinds": {"y": kind, "x": "datetime"}, "task": task}
    if is_refused:
        with pytest.raises(ValidationError, match=f"a target of kind {kind} can't be for task {task}"):
            DataConfig.model_validate(values)
    else:
        assert DataConfig.model_validate(values).kinds["y"] == kind


def test_one_name_is_a_list_of_one():
    data = DataConfig.model_validate({**DATA, "roles": {"id": "a", "group": None}, "exclude": ["b", "c"]})
    assert (data.roles.id, data.roles.group, data.exclude) == (("a",), (), ("b", "c"))


def test_a_test_table_is_written_like_its_source():
    dialect = {"header": False, "columns": ["a", "y"], "missing": ["?"], "delimiter": ";", "encoding": "latin-1"}
    data = DataConfig.model_validate(
        {
            "source": {"uri": "a.csv", "format": "csv", **dialect},
            "test": {"uri": "b.csv", "comment": "|"},
            "target": "y",
        }
    )
    assert data.test == SourceConfig(uri="b.csv", comment="|", **dialect)


def test_a_test_table_may_differ_from_its_source():
    data = DataConfig.model_validate(
        {"source": {"uri": "a", "missing": ["?"]}, "test": {"uri": "b", "missing": ["NA"]}, "target": "y"}
    )
    assert data.test.missing == ("", "NA")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs `min`, `max` or `allowed`"),
        ({"min": 2, "max": 1}, "`min` 2.0 is above `max` 1.0"),
        ({"allowed": ["a"], "on_violation": "clip"}, "have no nearest one"),
        ({"min": 1, "on_violation": "warn"}, "drop"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        RuleConfig(**values)


def test_a_rule_with_equal_bounds_is_one_value():
    rule = RuleConfig(min=1, max=1)
    assert (rule.min, rule.max, rule.on_violation) == (1, 1, "fail")


@pytest.mark.parametrize("written", [None, "null"])
def test_on_violation_null_is_an_action(written):
    assert RuleConfig(min=0, on_violation=written).on_violation == "null"


def test_gates_are_read_by_metric():
    gates = run(gates={"roc_auc": {"threshold": 0.9}, "significance": 0.01}).gates
    assert gates.significance == 0.01
    assert {name: gate.threshold for name, gate in gates.metrics.items()} == {"roc_auc": 0.9}


@pytest.mark.parametrize(("route", "found"), [(None, "/demo"), ("/x", "/x"), ("/x/", "/x"), ("/", "")])
def test_route(route, found):
    assert run(serve={"route": route}).route == found


def test_to_dict_uses_the_names_of_the_yaml():
    values = run(validate={"overlap": "fail"}).to_dict()
    assert values["validate"]["overlap"] == "fail"
    assert "validation" not in values


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {
            "data": {**DATA, "test": {"uri": "b.csv"}, "kinds": {"a": "datetime"}, "positive": True, "private": "a"},
            "clean": {
                "replace": {"a": {"x": None, "y": 2}},
                "rules": {"a": {"min": 0, "on_violation": None}, "b": {"allowed": [1, "x", True]}},
            },
            "gates": {"rmse": {"threshold": 3}, "latency_p99_ms": 5},
            "search": {"space": {"linear": {"lr": {"log": [1e-4, 0.1]}}}, "max_concurrent_trials": 3},
            "features": {"columns": {"a": {"impute": "mean"}}},
        },
    ],
    ids=["defaults", "everything"],
)
def test_to_dict_round_trips_through_json(sections):
    config = run(**sections)
    assert RunConfig.model_validate(orjson.loads(orjson.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("validation", [0.3, 0.999])
def test_shares_below_one_leave_rows_to_train_on(validation):
    assert SplitConfig(validation=validation, test=0).validation == validation


def test_replacements_keep_their_types():
    replace = CleanConfig(replace={"a": {2: 3, "2": None, 1.5: "x"}, "b": {True: False}}).replace
    assert [(type(key), value) for key, value in replace["a"].items()] == [(int, 3), (str, None), (float, "x")]
    assert [(key, value) for key, value in replace["b"].items()] == [(True, False)]


def test_what_is_kept_of_a_config_has_no_passwords():
    data = DataConfig(source=SourceConfig(uri="table.csv"), target="y")
    config = RunConfig(name="a", data=data, tracking={"uri": "postgresql://ann:s3cret@db/runs"})
    assert config.tracking.uri == "postgresql://ann:s3cret@db/runs"
    kept = config.to_public_dict()
    assert kept["tracking"]["uri"] == "postgresql://db/runs"
    assert "s3cret" not in str(kept)
    assert kept | {"tracking": config.to_dict()["tracking"]} == config.to_dict()


@pytest.mark.parametrize("name", ["outliers", "imbalance", "drift"])
def test_a_rules_action_alone(name):
    rule = getattr(run(validate={name: "fail"}).validation, name)
    assert rule.action == "fail"
    assert rule == type(rule)(action="fail")


def test_keys_of_one_column_and_of_several():
    assert run(validate={"unique": ["a", ["b", "c"]]}).validation.unique == (("a",), ("b", "c"))


def test_a_schema_is_written_under_its_own_name():
    config = run(validate={"schema": "s.yaml"})
    assert config.validation.schema_file == "s.yaml"
    assert config.to_dict()["validate"]["schema"] == "s.yaml"
