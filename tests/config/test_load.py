from pathlib import Path

import pytest

from distml.config import RunConfig, load_config, parse_config, with_absolute_paths
from distml.errors import ConfigError

MINIMAL = """\
name: demo
data:
  source: {uri: rows.csv}
  target: y
"""


def refused(text: str, **kwargs) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, where="run.yaml", **kwargs)
    return caught.value


def test_the_minimum():
    config = parse_config(MINIMAL)
    assert (config.name, config.data.source.uri, config.data.target) == ("demo", "rows.csv", "y")
    assert config.route == "/demo"


@pytest.mark.parametrize(
    ("extra", "key", "line", "near"),
    [
        ("serch: {}\n", "serch", 5, "search"),
        ("search:\n  num_sample: 3\n", "search.num_sample", 6, "num_samples"),
        ("search:\n  resources_per_trial:\n    gpus: 1\n", "search.resources_per_trial.gpus", 7, "gpu"),
        ("clean:\n  rules:\n    age: {mim: 3, max: 9}\n", "clean.rules.age.mim", 7, "min"),
        ("features:\n  columns:\n    age:\n      imputee: mean\n", "features.columns.age.imputee", 8, "impute"),
        ("gates:\n  roc_auc:\n    treshold: 0.9\n", "gates.roc_auc.treshold", 7, "threshold"),
        ("serve:\n  autoscaling: {min_replica: 1}\n", "serve.autoscaling.min_replica", 6, "min_replicas"),
        ("validate: {overlaps: drop}\n", "validate.overlaps", 5, "overlap"),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest(extra, key, line, near):
    error = refused(MINIMAL + extra)
    assert error.rule.startswith("a run config has only known keys")
    assert error.received == key
    assert error.where == f"run.yaml, line {line}"
    assert error.remedy == f"did you mean {near!r}?"


def test_an_unknown_key_of_the_source_is_found_once_for_both_tables():
    error = refused("name: a\ndata:\n  source:\n    uri: a\n    missng: []\n  test: {uri: b}\n  target: y\n")
    assert error.received == "data.source.missng"
    assert error.where == "run.yaml, line 5"
    assert error.remedy == "did you mean 'missing'?"


def test_the_known_keys_are_listed_where_none_is_near():
    error = refused(MINIMAL + "split: {zzzz: 1}\n")
    assert error.remedy == "known keys: kind, column, values, validation, test, folds, inherit"


@pytest.mark.parametrize("column", ["min", "allowed", "on_violation"])
def test_a_column_may_be_called_like_a_key(column):
    error = refused(MINIMAL + f"clean:\n  rules:\n    {column}: {{mim: 3, max: 9}}\n")
    assert error.remedy == "did you mean 'min'?"


def test_an_unknown_key_comes_before_the_missing_one_that_it_explains():
    error = refused("name: demo\ndata:\n  source: {uri: a.csv}\n  traget: y\n")
    assert error.received == "data.traget"
    assert error.rule.endswith("(1 more after this one)")
    assert error.remedy == "did you mean 'target'?"


@pytest.mark.parametrize(
    ("text", "key", "place"),
    [
        ("name: a\ndata: {source: {uri: a.csv}}\n", "data.target", "run.yaml, line 2"),
        ("name: a\ndata:\n  target: y\n  source: {format: csv}\n", "data.source.uri", "run.yaml, line 4"),
        ("name: a\n", "data", "run.yaml"),
    ],
)
def test_a_missing_key_is_named(text, key, place):
    error = refused(text)
    assert (error.rule, error.where) == (f"a run config needs {key!r}", place)


@pytest.mark.parametrize(
    ("extra", "place", "received"),
    [
        ("seed: -1\n", "run.yaml, line 5, seed", "-1"),
        ("split:\n  validation: 1.5\n", "run.yaml, line 6, split.validation", "1.5"),
        ("search: {sampler: annealing}\n", "run.yaml, line 5, search.sampler", "annealing"),
        ("model:\n  families:\n    - linear\n    - forest\n", "run.yaml, line 8, model.families.1", "forest"),
    ],
)
def test_a_wrong_value_is_quoted_with_its_line(extra, place, received):
    error = refused(MINIMAL + extra)
    assert (error.where, error.received) == (place, received)


@pytest.mark.parametrize(
    ("text", "kind"), [("", "NoneType"), ("- a\n- b\n", "list"), ("just text\n", "str"), ("3\n", "int")]
)
def test_a_config_is_a_mapping(text, kind):
    error = refused(text)
    assert (error.rule, error.received) == ("a run config is a mapping of sections", kind)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nname: b\n", 2),
        ("name: a\ndata:\n  target: y\n  source: {uri: a}\n  target: z\n", 5),
        ("data: {target: a, target: b}\n", 1),
    ],
)
def test_a_key_written_twice_is_refused(text, line):
    error = refused(text)
    assert "is written twice" in error.received
    assert error.where == f"run.yaml, line {line}"


@pytest.mark.parametrize("text", ["a: [1\n", "a: b: c\n", "\tname: a\n", "? [a, b]\n: c\n"])
def test_broken_yaml_is_refused_with_its_line(text):
    error = refused(text)
    assert error.rule == "a run config is valid YAML"
    assert error.where.startswith("run.yaml, line ")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.getcwd", "!!python/name:os.system", "!include"])
def test_object_tags_are_refused(tag):
    error = refused(MINIMAL + f"storage: {tag} []\n")
    assert error.rule == "a run config is plain YAML: no tags that build objects"
    assert tag.removeprefix("!!") in error.received
    assert error.where == "run.yaml, line 5"


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-4", 1e-4), ("1E5", 1e5), ("-2.5e+3", -2500.0), ("1_0e2", 1000.0), ("0.1", 0.1), ("3", 3), ("'1e-4'", "1e-4")],
)
def test_exponents_are_numbers(written, value):
    config = parse_config(MINIMAL + f"search: {{space: {{linear: {{lr: {written}}}}}}}\n")
    found = config.search.space["linear"]["lr"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("written", "environ", "value"),
    [
        ("${ROOT}", {"ROOT": "/x"}, "/x"),
        ("${ROOT}/y", {"ROOT": "/x"}, "/x/y"),
        ("${ROOT:-/z}/y", {"ROOT": "/x"}, "/x/y"),
        ("${ROOT:-/z}/y", {}, "/z/y"),
        ("${ROOT:-}y", {}, "y"),
        ("${A}${B}", {"A": "1", "B": "2"}, "12"),
        ("$ROOT", {"ROOT": "/x"}, "$ROOT"),
        ("${A}", {"A": "${B}", "B": "x"}, "${B}"),
    ],
)
def test_variables_are_filled_in_once(written, environ, value):
    assert parse_config(MINIMAL + f"storage: '{written}'\n", environ=environ).storage == value


def test_variables_are_filled_in_within_lists_and_become_numbers():
    config = parse_config(MINIMAL + "seed: ${SEED}\nevaluate: {slices: ['${A:-x}', b]}\n", environ={"SEED": "7"})
    assert (config.seed, config.evaluate.slices) == (7, ("x", "b"))


def test_a_variable_without_value_is_refused():
    error = refused(MINIMAL + "evaluate: {slices: [a, '${NOPE}']}\n", environ={})
    assert (error.received, error.where) == ("${NOPE}", "run.yaml, evaluate.slices.1")
    assert error.remedy == "set NOPE in the environment, or write ${NOPE:-default}"


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=3", "seed", 3),
        ("search.num_samples=5", "search.num_samples", 5),
        ("data.source.uri=b.csv", "data.source.uri", "b.csv"),
        ("model.families=[trees]", "model.families", ("trees",)),
        ("search.time_budget_s=null", "search.time_budget_s", None),
        ("storage=s=t", "storage", "s=t"),
        ("data.positive=yes please", "data.positive", "yes please"),
        (" seed =3", "seed", 3),
    ],
)
def test_overrides_are_yaml_values_of_dotted_keys(override, path, value):
    found = parse_config(MINIMAL, [override])
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value


def test_the_last_override_wins_over_the_text():
    assert parse_config(MINIMAL + "seed: 1\n", ["seed=2", "seed=3"]).seed == 3


def test_overrides_may_use_variables():
    assert parse_config(MINIMAL, ["storage=${A:-x}/y"], environ={}).storage == "x/y"


@pytest.mark.parametrize("override", ["seed", "=3", ".seed=3", "search..x=1", "seed.x=1", "seed=[1"])
def test_a_broken_override_is_refused(override):
    error = refused(MINIMAL + "seed: 1\n", overrides=[override])
    assert (error.received, error.where) == (override, "-s")


def test_a_sign_that_yaml_keeps_for_itself_is_told_how_to_write():
    error = refused(MINIMAL, overrides=["data.source.delimiter=,"])
    assert error.remedy == "write a text of signs in quotes, as -s 'data.source.delimiter=\",\"'"
    assert parse_config(MINIMAL, ['data.source.delimiter=","']).data.source.delimiter == ","


def test_an_unknown_key_in_an_override_is_refused():
    assert refused(MINIMAL, overrides=["serch.x=1"]).remedy == "did you mean 'search'?"


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("search.num_samples=twelve", "-s, search.num_samples"),
        ("search.num_sample=3", "-s"),
        ("serch.x=1", "-s"),
        ("model.families=[linear, forest]", "-s, model.families.1"),
    ],
)
def test_a_mistake_in_an_override_is_not_put_on_the_file(override, where):
    assert refused(MINIMAL + "search: {num_samples: 12}\n", overrides=[override]).where == where


def test_a_mistake_beside_an_override_is_put_on_the_file():
    error = refused(MINIMAL + "search: {num_samples: many}\n", overrides=["search.metric=auc", "seed=3"])
    assert error.where == "run.yaml, line 5, search.num_samples"


def test_reads_a_file(tmp_path: Path):
    path = tmp_path / "run.yaml"
    path.write_text(MINIMAL)
    assert load_config(path, ["seed=4"]) == parse_config(MINIMAL + "seed: 4\n")


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda path: None, "a run config is a YAML file"),
        (lambda path: path.mkdir(), "a run config is a readable UTF-8 file"),
        (lambda path: path.write_bytes(b"name: \xff"), "a run config is a readable UTF-8 file"),
    ],
    ids=["absent", "folder", "latin-1"],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, make, rule):
    make(tmp_path / "run.yaml")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "run.yaml")
    assert caught.value.rule == rule


def test_errors_name_the_file_and_line(tmp_path: Path):
    path = tmp_path / "run.yaml"
    path.write_text(MINIMAL + "sed: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.where == f"{path}, line 5"


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("configs/*.yaml")), ids=lambda path: path.name)
def test_every_example_config_is_valid_and_survives_to_dict(path):
    config = load_config(path, environ={})
    assert RunConfig.model_validate(config.to_dict()) == config


def test_a_uris_password_is_read_where_it_is_used():
    text = """
name: a
storage: s3://${KEY}:${SECRET}@bucket/${FOLDER}
data: {source: {uri: t.csv}, target: y}
tracking: {uri: "http://${USER}:${PW}@host"}
"""
    config = parse_config(text, environ={"FOLDER": "store"})
    assert config.storage == "s3://${KEY}:${SECRET}@bucket/store"
    assert config.tracking.uri == "http://${USER}:${PW}@host"
    assert config.to_public_dict() == config.to_dict()


def test_local_paths_mean_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "{name: a, storage: ./store, data: {source: {uri: t/*.csv}, test: {uri: /data/t.csv}, target: y}}"
    config = with_absolute_paths(parse_config(text))
    assert config.storage == f"{tmp_path}/store"
    assert config.data.source.uri == f"{tmp_path}/t/*.csv"
    assert config.data.test.uri == "/data/t.csv"
    assert with_absolute_paths(config) == config


def test_uris_are_no_paths():
    text = (
        '{name: a, storage: "s3://b/c", tracking: {uri: "http://h"}, data: {source: {uri: "sklearn:iris"}, target: y}}'
    )
    config = parse_config(text)
    assert with_absolute_paths(config) == config
