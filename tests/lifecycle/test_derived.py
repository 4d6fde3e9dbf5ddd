"""Derived columns from preparation over batch scoring to HTTP: the same values, asked of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from distml import code
from distml.config import RunConfig, parse_config
from distml.data import LocalEngine
from distml.derive import own
from distml.errors import CodeError, ConfigError, PackageError
from distml.lifecycle.predict import predict_table, source_of
from distml.lifecycle.prepare import check_source, prepare, prepare_key
from distml.lifecycle.result import RunResult
from distml.lifecycle.run import Resources, run
from distml.package import ModelPackage
from distml.predictor import Predictor
from distml.records import row_json_schema
from distml.schema import Schema
from distml.storage import Storage
from own_code import HELPERS
from services import ask, service_of

CONFIG = """
name: homes
data:
  source: {uri: TABLE}
  target: sold
  roles: {time: when}
  private: [owner]
features:
  derived:
    rooms_each: rooms / homes
    where_what: cross(town, floor(rooms / 10))
    is_weekend: weekday(when) >= 5
    named: length(owner)
    busy: rooms_each > 3 and is_weekend
  columns: {rooms_each: {scale: standard}}
evaluate: {slices: [is_weekend]}
model: {families: [linear]}
search: {num_samples: 1}
train: {max_epochs: 2}
"""
DERIVED = ["rooms_each", "where_what", "is_weekend", "named", "busy"]


def table(n: int = 400, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    rooms, homes = rng.integers(1, 40, n), rng.integers(0, 9, n)
    when = np.datetime64("2024-01-01") + rng.integers(0, 300, n).astype("timedelta64[D]")
    sold = np.where(rooms + rng.normal(0, 5, n) > 20, "yes", "no")
    return pa.table(
        {
            "rooms": pa.array(rooms.astype(float), mask=rng.random(n) < 0.1),
            "homes": homes,
            "town": rng.choice(["Ulm", "Bonn", "Köln"], n),
            "when": pa.array(when.astype("datetime64[us]")),
            "owner": rng.choice(["Ann", "Bob", "Christina"], n),
            "sold": sold,
        }
    )


def config_of(folder: Path, *overrides: str, name: str = "table.parquet") -> RunConfig:
    return parse_config(CONFIG.replace("TABLE", str(folder / name)), [f"storage={folder / 'store'}", *overrides])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homes")
    pq.write_table(table(), folder / "table.parquet")
    return folder


@pytest.fixture(scope="module")
def result(home: Path) -> RunResult:
    return run(config_of(home), Resources())


@pytest.fixture(scope="module")
def predictor(result: RunResult) -> Predictor:
    assert result.version is not None
    with result.storage.local_folder(result.version.package) as folder:
        return Predictor.load(folder)


def test_preparation_makes_summarises_and_encodes_them(result):
    prepared = result.prepared
    rows, _ = prepared.rows("test")
    assert [name for name in rows.column_names if name in DERIVED] == DERIVED
    each = [
        None if row["rooms"] is None or not row["homes"] else row["rooms"] / row["homes"] for row in rows.to_pylist()
    ]
    assert rows.column("rooms_each").to_pylist() == each
    assert set(prepared.baseline.columns) >= set(DERIVED)
    encoded = {one.column for one in prepared.pipelines["trees"].numeric + prepared.pipelines["trees"].categorical}
    assert encoded >= set(DERIVED)


def test_exceptions_and_slices_may_name_them(result):
    dense = {one.column: one for one in result.prepared.pipelines["dense"].numeric}
    assert type(dense["rooms_each"].scaling) is not type(dense["rooms"].scaling)
    assert {row["value"] for row in result.evaluated.slices["is_weekend"]} == {"true", "false"}


def test_divisions_by_zero_are_counted_as_findings(result):
    found = [finding for finding in result.prepared.findings if finding.column == "rooms_each"]
    raw = table()
    zeros = pc.and_(pc.is_valid(raw.column("rooms")), pc.equal(raw.column("homes"), 0))
    counted = [f for f in found if f.rule == "a derived value is a finite number"]
    assert [(f.count, f.action) for f in counted] == [(pc.sum(zeros).as_py(), "null")]
    row, shown = counted[0].examples[0]
    assert shown == repr({"rooms": raw.column("rooms")[row].as_py(), "homes": 0.0})


def test_a_row_is_called_the_same_with_them_and_without(home, result, tmp_path):
    plain = prepare(config_of(home, "features={}"), Storage(str(tmp_path)), LocalEngine())
    for split in ("validation", "test"):
        np.testing.assert_array_equal(plain.rows(split)[1], result.prepared.rows(split)[1])
    assert plain.key != result.prepared.key


def test_requests_and_documents_know_nothing_of_them(predictor):
    row = row_json_schema(predictor.schema)
    assert list(row["properties"]) == ["rooms", "homes", "town", "when", "owner"]
    assert row["required"] == ["homes", "town", "when", "owner"], "training rows had rooms missing"
    assert predictor.package.golden is not None
    assert all(set(row) == {"rooms", "homes", "town", "when", "owner"} for row in predictor.package.golden.rows)
    assert "named" not in predictor.package.baseline.inputs.columns  # as it says something of a private column
    assert set(predictor.package.baseline.inputs.columns) >= {"rooms_each", "busy"}


def test_scoring_a_file_and_asking_over_http_see_the_same_values(result, predictor, tmp_path):
    raw = table(60, seed=1).drop_columns(["sold"])
    pq.write_table(raw, tmp_path / "in.parquet")
    source = source_of(result.storage, result.version, str(tmp_path / "in.parquet"))
    predict_table(result.version, result.storage, source, f"{tmp_path}/out.parquet", LocalEngine())
    scored = pq.read_table(tmp_path / "out.parquet")
    service = service_of(predictor, "homes")
    records = [{**row, "when": row["when"].isoformat()} for row in raw.to_pylist()]
    answers = [orjson.loads(ask(service, "POST", "/predict", orjson.dumps(row)).body) for row in records]
    assert [answer["predictions"][0] for answer in answers] == scored.column("prediction").to_pylist()
    shares = [answer["probabilities"][0]["yes"] for answer in answers]
    assert shares == scored.column("probability_yes").to_pylist()
    whole = predictor.predict_kept(raw)[0].table
    alone = [predictor.predict_kept(raw.slice(i, 1))[0].table for i in range(raw.num_rows)]
    assert pa.concat_tables(alone).to_pydict() == whole.to_pydict()
    service.take_windows()
    (window,) = service.take_windows()
    assert window.inputs.columns["rooms_each"].count == 60


def test_a_column_of_that_name_is_not_read(predictor):
    raw = table(20, seed=2).drop_columns(["sold"])
    lying = raw.append_column("rooms_each", pa.array(np.full(20, 1e6)))
    cleaned, prediction = predictor.predict_kept(lying)
    assert prediction.scores.tolist() == predictor.predict(raw).scores.tolist()
    assert [(f.column, f.count, f.action) for f in cleaned.findings if "made, not read" in f.rule] == [
        ("rooms_each", 20, "ignore")
    ]


def test_rules_hold_for_them_too(home, tmp_path):
    rules = "clean.rules={rooms_each: {max: 10, on_violation: clip}, named: {max: 5, on_violation: drop}}"
    prepared = prepare(config_of(home, rules), Storage(str(tmp_path)), LocalEngine())
    rows, _ = prepared.rows("validation")
    assert pc.max(rows.column("rooms_each")).as_py() == 10
    assert set(rows.column("owner").to_pylist()) == {"Ann", "Bob"}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("features.derived={town: lower(owner)}", "received town; in features.derived.town"),
        ("features.derived={x: length(sold)}", "received sold, the target"),
        ("features.derived={x: rooms / hoems}", "did you mean 'homes'?"),
        ("features.derived={x: rooms + town}", "+ takes a number"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(home, override, told):
    with pytest.raises(ConfigError) as caught:
        check_source(config_of(home, override))
    assert told in str(caught.value)


# Functions of the user's own


def functions(name: str, function: str = "score", columns: str = "[rooms, rooms_each]") -> str:
    return f"features.functions={{mine: {{function: '{name}.features:{function}', columns: {columns}}}}}"


def test_a_function_is_fitted_packed_and_loaded_only_where_it_is_allowed(
    home, tmp_path, own_package, rewrite_own, monkeypatch
):
    config = config_of(home, functions(own_package), f"storage={tmp_path / 'store'}")
    with pytest.raises(CodeError, match=f"--allow-code {own_package}"):
        run(config, Resources())
    code.allow([own_package])
    result = run(config, Resources())
    folder = Path(result.storage.root) / result.version.package
    loaded = Predictor.load(folder)
    lineage = loaded.package.lineage["code"]["mine"]
    assert (lineage["module"], lineage["attribute"]) == (f"{own_package}.features", "score")
    assert lineage["source_hash"] == loaded.schema["mine"].code.source_hash
    raw = table(30, seed=3).drop_columns(["sold"])
    cleaned = loaded.predict_kept(raw)[0].table
    halves = pc.divide(pc.add(cleaned.column("rooms"), cleaned.column("rooms_each")), 2)
    assert cleaned.column("mine").to_pylist() == halves.to_pylist()
    alone = [loaded.predict_kept(raw.slice(i, 1))[0].table.column("mine")[0].as_py() for i in range(30)]
    assert alone == cleaned.column("mine").to_pylist()
    key = prepare_key(config)
    rewrite_own(helpers=HELPERS.replace("2.0", "4.0"))
    assert prepare_key(config) != key
    with pytest.raises(PackageError, match="fitted with"):
        ModelPackage.load(folder)
    again = run(config, Resources())  # its champion means something else now: a person says which is to live
    assert (again.version.number, again.verdict.promoted) == (2, False)
    assert "can't be compared with" in again.verdict.reasons[0]
    assert "`distml promote`" in again.verdict.reasons[1]
    rewrite_own()
    monkeypatch.setenv(code.VARIABLE, "")
    own._function.cache_clear()
    with pytest.raises(CodeError, match=f"--allow-code {own_package}"):
        Predictor.load(folder)


@pytest.mark.parametrize(
    ("function", "columns", "told"),
    [
        ("centred", "rooms", "doesn't depend on other rows"),
        ("short", "rooms", "one value for each row"),
        ("score", "[rooms, hoems]", "did you mean 'homes'?"),
        ("scor", "rooms", "did you mean 'score'?"),
    ],
)
def test_a_function_that_would_not_serve_is_told_before_anything_runs(home, own_package, function, columns, told):
    code.allow([own_package])
    with pytest.raises((CodeError, ConfigError)) as caught:
        check_source(config_of(home, functions(own_package, function, columns)))
    assert told in str(caught.value)


def test_a_function_that_fails_over_http_is_the_servers_fault(home, tmp_path, own_package):
    code.allow([own_package])
    config = config_of(home, functions(own_package, "picky", "rooms"), f"storage={tmp_path / 'store'}")
    result = run(config, Resources())
    service = service_of(Predictor.load(Path(result.storage.root) / result.version.package), "homes")
    row: dict[str, Any] = {"rooms": 2, "homes": 1, "town": "Ulm", "when": "2024-01-01", "owner": None}
    assert ask(service, "POST", "/predict", orjson.dumps(row)).status == 200
    reply = ask(service, "POST", "/predict", orjson.dumps({**row, "rooms": 1e7}))
    problem = orjson.loads(reply.body)
    assert (reply.status, problem["type"]) == (500, "urn:distml:problem:feature-failed")
    assert "column mine" in problem["detail"]
    assert ".py" not in problem["detail"]


def test_an_old_schema_has_no_derived_columns():
    column = {"name": "a", "kind": "numeric", "dtype": "number", "role": "feature", "group": False, "private": False}
    assert Schema.from_dict({"columns": [column]}).derived == ()
