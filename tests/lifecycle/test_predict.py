import csv
import dataclasses
import gzip
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig, parse_config
from distml.data import LocalEngine
from distml.errors import ConfigError, DataError, PackageError, StorageError
from distml.lifecycle.predict import plan_scoring, predict_table, source_of, without_target
from distml.lifecycle.run import Resources, run
from distml.lifecycle.scoring.job import in_runs
from distml.predictor import Predictor
from distml.records import records_from_table
from distml.serve.service import Service
from services import ask, service_of

CONFIG = """
name: shop
data: {source: {uri: TABLE, missing: ["?"]}, target: sold, positive: "yes", kinds: {shelf: categorical}}
clean: {rules: {price: {min: 0, on_violation: quarantine}, pages: {max: 900, on_violation: drop}}}
model: {families: [FAMILY]}
search: {num_samples: 1}
train: {max_epochs: 2}
"""
ADDED = ["prediction", "probability_no", "probability_yes"]


def rows(n: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    price = rng.uniform(1, 50, n).round(2)
    sold = np.where(price + rng.normal(0, 5, n) < 25, "yes", "no")
    return pa.table(
        {"price": price, "pages": rng.integers(50, 800, n), "shelf": rng.choice(["a", "b", "c"], n), "sold": sold}
    )


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """Family -> the registered version, its storage and its predictor."""
    folder = tmp_path_factory.mktemp("shop")
    pyarrow.csv.write_csv(rows(300), folder / "table.csv")
    made = {}

    def shop_of(family: str):
        if family not in made:
            text = CONFIG.replace("TABLE", str(folder / "table.csv")).replace("FAMILY", family)
            result = run(parse_config(text, [f"storage={folder / family}"]), Resources())
            with result.storage.local_folder(result.version.package) as home:
                made[family] = result.version, result.storage, Predictor.load(home)
        return made[family]

    return shop_of


@pytest.fixture
def shop(shops):
    return shops("linear")


@pytest.fixture
def plan(shop, tmp_path):
    def plan_to(out: str, source: str = "in*", **dialect):
        given = source_of(shop[1], shop[0], str(tmp_path / source)).model_copy(update=dialect)
        return plan_scoring(shop[0], shop[1], given, f"{tmp_path}/{out}", overwrite=True)

    return plan_to


@pytest.fixture
def score(plan):
    return lambda *given, **dialect: plan(*given, **dialect).run(LocalEngine())


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def read(path: Path) -> pa.Table:
    return pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)


# What is written


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_the_input_comes_first_then_what_the_predictor_says(shop, score, tmp_path, out):
    table = rows(50, seed=1).drop_columns(["sold"])
    pq.write_table(table, tmp_path / "in.parquet")
    scored = score(out)
    assert (scored.model, scored.out) == (shop[0].label, str(tmp_path / out))
    assert (scored.num_rows, scored.num_quarantined, scored.quarantine, scored.reasons) == (50, 0, None, {})
    written = read(tmp_path / out)
    assert written.column_names == [*table.column_names, *ADDED]
    assert written.select(table.column_names).equals(table)
    wanted = shop[2].predict(table)
    assert written.column("prediction").to_pylist() == wanted.values.tolist()
    assert written.column("probability_yes").to_pylist() == wanted.probabilities[:, 1].tolist()


def test_a_target_is_carried_along_and_not_needed(score, tmp_path):
    pq.write_table(rows(9).set_column(3, "sold", [["what?"] * 9]), tmp_path / "in.parquet")
    assert score("out.parquet").num_rows == 9
    assert read(tmp_path / "out.parquet").column("sold").to_pylist() == ["what?"] * 9


def test_a_folder_has_a_part_for_each_file_and_says_what_it_holds(score, tmp_path):
    for i in range(3):
        pq.write_table(rows(4 + i, seed=i), tmp_path / f"in{i}.pq")
    (tmp_path / "in3.csv").write_text("pages,price,sold,shelf\n100,-1,no,a\n")
    scored = score("out/", "in*.pq")
    parts = [f"out/part-0000{i}.parquet" for i in range(3)]
    assert [read(tmp_path / part).num_rows for part in parts] == [4, 5, 6]
    assert below(tmp_path / "out") == {"_SUCCESS", *(Path(part).name for part in parts)}
    assert orjson.loads((tmp_path / "out" / "_SUCCESS").read_bytes()) == orjson.loads(orjson.dumps(scored.to_dict()))
    again = score("out", "in3.csv")
    assert below(tmp_path / "out") == {"_SUCCESS", "_quarantine.csv", "part-00000.parquet"}
    assert again.quarantine == f"{tmp_path}/out/_quarantine.csv"


def test_files_are_scored_in_the_order_of_their_names(score, tmp_path):
    tables = [rows(5, seed=i) for i in range(4)]
    with gzip.open(tmp_path / "in2.csv.gz", "wb") as stream:
        pyarrow.csv.write_csv(tables[2], stream)
    for i in (3, 0, 1):
        pyarrow.csv.write_csv(tables[i], tmp_path / f"in{i}.csv")
    assert score("out.csv").num_rows == 20
    wanted = [price for table in tables for price in table.column("price").to_pylist()]
    assert read(tmp_path / "out.csv").column("price").to_pylist() == wanted


def test_a_table_without_rows_gives_one_without_rows(score, tmp_path):
    pq.write_table(rows(3).slice(0, 0), tmp_path / "in.parquet")
    assert score("out.parquet").num_rows == 0
    assert read(tmp_path / "out.parquet").schema.field("prediction").type == pa.string()
    (tmp_path / "in.csv").write_text("shelf,price,pages\n")
    assert score("out.csv", "in.csv").num_rows == 0
    names = ["shelf", "price", "pages", *ADDED]
    assert (tmp_path / "out.csv").read_text() == ",".join(f'"{name}"' for name in names) + "\n"


def test_nothing_of_a_regression_is_a_probability(tmp_path):
    table = pa.table({"x": np.arange(200.0), "y": np.arange(200.0) * 2})
    pq.write_table(table, tmp_path / "in.parquet")
    text = f"{{name: line, data: {{source: {{uri: {tmp_path}/in.parquet}}, target: y}}, model: {{families: [linear]}}}}"
    small = ["search.num_samples=1", "train.max_epochs=2", f"storage={tmp_path}/store"]
    result = run(parse_config(text, small), Resources())
    source = SourceConfig(uri=f"{tmp_path}/in.parquet")
    predict_table(result.version, result.storage, source, f"{tmp_path}/out.parquet", LocalEngine())
    assert read(tmp_path / "out.parquet").column_names == ["x", "y", "prediction"]


@pytest.mark.parametrize(
    ("out", "wanted"),
    [("out.parquet", ["out.parquet", "out.parquet.quarantine.csv"]), ("out/", ["out"])],
)
def test_an_object_store_may_hold_the_predictions(shop, tmp_path, out, wanted):
    (tmp_path / "in.csv").write_text("price,pages,shelf\n1,1,a\n-1,1,a\n2,1,b\n")
    job = plan_scoring(shop[0], shop[1], SourceConfig(uri=f"{tmp_path}/in.csv"), f"mock:///bucket/{out}")
    scored = job.run(LocalEngine())
    home = job.destination.home
    assert (scored.out, scored.num_rows, scored.num_quarantined) == (f"mock:///bucket/{out}", 2, 1)
    assert home.list(hidden=True) == wanted
    key = "out/part-00000.parquet" if out == "out/" else out
    with home.open_input(key) as stream:
        assert pq.read_table(stream).column("price").to_pylist() == ["1", "2"]
    assert home.exists(scored.quarantine.removeprefix("mock:///bucket/"))


# Rows set aside


def test_each_row_set_aside_has_its_own_reasons_and_none_is_lost(score, tmp_path):
    lines = ["price,pages,shelf", "3,100,a", *["-1,100,a"] * 8, *["x,100,a"] * 8, "-2,901,?", "4,200,a"]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    scored = score("out.csv")
    assert (scored.num_rows, scored.num_quarantined) == (2, 17)
    aside = pyarrow.csv.read_csv(scored.quarantine).to_pydict()
    assert aside["distml_row"] == list(range(1, 18))
    low, wrong, thick = "price: at least 0", "price: a numeric column holds numbers", "pages: at most 900"
    assert aside["distml_reason"] == [low] * 8 + [wrong] * 8 + [f"{low}; {thick}"]
    assert aside["price"] == ["-1"] * 8 + ["x"] * 8 + ["-2"]
    assert aside["shelf"] == ["a"] * 16 + ["?"]
    assert scored.reasons == {low: 9, wrong: 8, thick: 1}
    assert {finding.action for finding in scored.findings} == {"quarantine", "null"}


def test_rows_are_numbered_in_their_file_and_examples_in_the_table(score, tmp_path):
    header = "price,pages,shelf\n"
    (tmp_path / "in1.csv").write_text(f"{header}1,1,a\n-1,1,a\n1,1,a\n")
    (tmp_path / "in2.csv").write_text(f"{header}-2,1,a\n1,1,a\n-3,1,a\n")
    scored = score("out.csv")
    with open(scored.quarantine, newline="") as stream:
        aside = [(Path(row["distml_file"]).name, row["distml_row"], row["price"]) for row in csv.DictReader(stream)]
    assert aside == [("in1.csv", "1", "-1"), ("in2.csv", "0", "-2"), ("in2.csv", "2", "-3")]
    (low,) = (finding for finding in scored.findings if finding.action == "quarantine")
    assert [row for row, _ in low.examples] == [1, 3, 5]


def test_rows_of_a_later_row_group_are_numbered_in_their_file(plan, tmp_path):
    table = rows(10).set_column(0, "price", [[1.0] * 7 + [-1.0] * 3])
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=5)
    job = plan("out.parquet")
    (whole,) = job.fragments
    parts = [dataclasses.replace(whole, index=i, row_groups=(i,), first_row=5 * i) for i in range(2)]
    scored = dataclasses.replace(job, fragments=parts).run(LocalEngine())
    assert pyarrow.csv.read_csv(scored.quarantine).column("distml_row").to_pylist() == [7, 8, 9]
    assert read(tmp_path / "out.parquet").select(table.column_names).equals(table.slice(0, 7))


def test_values_that_csv_can_not_hold_are_set_aside_too(score, tmp_path):
    table = rows(2).append_column("tags", [[["x"], ["y", "z"]]]).set_column(0, "price", [[1.0, -1.0]])
    pq.write_table(table, tmp_path / "in.parquet")
    scored = score("out.parquet")
    assert read(tmp_path / "out.parquet").column("tags").to_pylist() == [["x"]]
    assert pyarrow.csv.read_csv(scored.quarantine).column("tags").to_pylist() == ["['y', 'z']"]


def test_an_earlier_quarantine_does_not_stay(score, tmp_path):
    (tmp_path / "in.csv").write_text("price,pages,shelf\n-1,100,a\n")
    assert score("out.csv").num_rows == 0
    (tmp_path / "in.csv").write_text("price,pages,shelf\n1,100,a\n")
    assert score("out.csv").quarantine is None
    assert below(tmp_path) == {"in.csv", "out.csv"}


def test_comment_lines_are_counted(score, tmp_path):
    (tmp_path / "in.csv").write_text("# one\nprice,pages,shelf\n# two\n1,100,a\n")
    scored = score("out.csv", comment="#")
    (finding,) = (finding for finding in scored.findings if finding.column is None)
    assert (finding.rule, finding.count, scored.num_rows) == ("no comment lines", 2, 1)
    assert scored.reasons == {}


# Equal to HTTP


def answer(service: Service, records: list[dict]) -> tuple[int, dict]:
    reply = ask(service, "POST", "/predict", orjson.dumps({"rows": records}))
    return reply.status, orjson.loads(reply.body)


def in_json(value: str):
    """A field as a client would send it: numbers as numbers, missing ones as null, texts otherwise."""
    if value in ("", "?"):
        return None
    try:
        return float(value)
    except ValueError:
        return value


@pytest.mark.parametrize("family", ["linear", "mlp", "trees"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_rows_get_what_the_service_gives_them(shops, tmp_path, family, size):
    version, storage, predictor = shops(family)
    service = service_of(predictor)
    table = rows(500, seed=2).drop_columns(["sold"])
    pq.write_table(table, tmp_path / "in.parquet")
    predict_table(version, storage, SourceConfig(uri=f"{tmp_path}/in.parquet"), f"{tmp_path}/out.csv", LocalEngine())
    told = {"prediction": [], "probability_no": [], "probability_yes": []}
    for start in range(0, 500, size):
        _, document = answer(service, records_from_table(table.slice(start, size)))
        told["prediction"] += document["predictions"]
        for label in ("no", "yes"):
            told[f"probability_{label}"] += [row[label] for row in document["probabilities"]]
    assert read(tmp_path / "out.csv").select(ADDED).to_pydict() == told


@pytest.mark.parametrize("seed", range(3))
def test_the_rows_that_http_refuses_are_the_ones_set_aside(shop, score, tmp_path, seed):
    rng = np.random.default_rng(seed)
    fields = {
        "price": ["3.5", "-1", "", "?", "x", "1e3", "-0.0", "nan?", "0", "7,5"],
        "pages": ["100", "900", "901", "900.5", "", "many", "-3"],
        "shelf": ["a", "z", "", "?", "b", "7"],
    }
    drawn = [{name: str(rng.choice(values)) for name, values in fields.items()} for _ in range(200)]
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(fields))
        writer.writeheader()
        writer.writerows(drawn)
    scored = score("out.csv")
    service = service_of(shop[2])
    answers = [answer(service, [{name: in_json(value) for name, value in row.items()}]) for row in drawn]
    refused = [row for row, (status, _) in enumerate(answers) if status == 422]
    assert {status for status, _ in answers} == {200, 422}
    assert pyarrow.csv.read_csv(scored.quarantine).column("distml_row").to_pylist() == refused
    predictions = [document["predictions"][0] for status, document in answers if status == 200]
    assert read(tmp_path / "out.csv").column("prediction").to_pylist() == predictions


# How the table is read


def test_a_table_is_read_as_the_one_that_was_trained_on(shop, score, tmp_path):
    (tmp_path / "in.csv").write_text("price,pages,shelf\n?,?,?\n")
    scored = score("out.csv")
    assert scored.num_rows == 1
    assert {f.rule for f in scored.findings} == {"missing token '?'"}


def test_a_table_may_be_written_in_another_way(shop):
    source = source_of(shop[1], shop[0], "t.csv", ["data.source.delimiter=;", "data.source.missing=[none]"])
    assert (source.uri, source.delimiter, source.missing) == ("t.csv", ";", ("", "none"))
    with pytest.raises(ConfigError, match="only how it is read"):
        source_of(shop[1], shop[0], "t.csv", ["clean.strip=false"])


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("1,100,a,yes", ["price", "pages", "shelf", "sold"]),
        ("1,100,a", ["price", "pages", "shelf"]),
        ('"1,0",100,a', ["price", "pages", "shelf"]),
        ("1,100", ["price", "pages", "shelf", "sold"]),
        ("", ["price", "pages", "shelf", "sold"]),
    ],
)
def test_a_headerless_table_may_be_without_its_target(plan, tmp_path, line, wanted):
    (tmp_path / "in.csv").write_text(f"\n{line}\n")
    columns = ("price", "pages", "shelf", "sold")
    fragment = plan("out.csv", header=False, columns=columns).fragments[0]
    source = SourceConfig(uri=str(tmp_path / "in.csv"), header=False, columns=columns)
    assert list(without_target(source, fragment, "sold").columns) == wanted
    assert without_target(source, fragment, "other") == source


# What is refused, before anything is written


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("in.csv", "price,page,shelf\n1,1,a\n", ["no 'pages'", "in.csv", "did you mean 'page'"]),
        ("in.csv", "price,pages,shelf,prediction\n1,1,a,1\n", ["prediction", "in.csv"]),
        ("in.csv", "price,pages,shelf,probability_no\n1,1,a,1\n", ["probability_no", "in.csv"]),
        ("in.csv", "price,pages,shelf,distml_row\n1,1,a,1\n", ["distml_row", "in.csv"]),
        ("in.csv", "price,pages,shelf,price\n1,1,a,1\n", ["price more than once", "in.csv"]),
        ("in.csv", "", ["no 'price'", "in.csv"]),
        ("in.parquet", rows(3).set_column(0, "price", [[[1.0]] * 3]), ["column price", "in.parquet", "list"]),
        ("in.parquet", rows(3).append_column("tags", [[[1]] * 3]), ["column tags", "list", "write to a .parquet"]),
    ],
)
def test_a_table_that_can_not_be_scored_is_refused(plan, tmp_path, name, content, told):
    if isinstance(content, str):
        (tmp_path / name).write_text(content)
    else:
        pq.write_table(content, tmp_path / name)
    with pytest.raises(DataError) as caught:
        plan("out.csv")
    assert [part for part in told if part not in str(caught.value)] == []
    assert below(tmp_path) == {name}


def test_a_file_of_another_schema_is_named(plan, tmp_path):
    pq.write_table(rows(3), tmp_path / "in1.parquet")
    pq.write_table(rows(3).drop_columns(["shelf"]), tmp_path / "in2.parquet")
    with pytest.raises(DataError, match=r"no column shelf.*in2\.parquet"):
        plan("out.parquet")


def test_the_input_is_never_written_over(plan, tmp_path):
    pq.write_table(rows(5), tmp_path / "in.parquet")
    before = (tmp_path / "in.parquet").read_bytes()
    with pytest.raises(DataError, match="another place"):
        plan("in.parquet")
    assert (tmp_path / "in.parquet").read_bytes() == before


@pytest.mark.parametrize("out", ["out.csv", "out/"])
def test_earlier_predictions_are_replaced_only_where_that_is_asked_for(shop, score, tmp_path, out):
    pq.write_table(rows(3), tmp_path / "in.parquet")
    score(out)
    source = source_of(shop[1], shop[0], f"{tmp_path}/in.parquet")
    with pytest.raises(DataError, match="is there already") as caught:
        plan_scoring(shop[0], shop[1], source, f"{tmp_path}/{out}")
    assert caught.value.remedy == "--overwrite, or another name"


def test_only_parquet_csv_and_folders_are_written(plan, tmp_path):
    pq.write_table(rows(5), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"\.parquet or \.csv"):
        plan("out.txt")


# What stops it leaves nothing


def fail_at(tmp_path: Path) -> None:
    """A first file that is well, and a second one whose end is cut off."""
    pyarrow.csv.write_csv(rows(20), tmp_path / "in1.csv")
    with gzip.open(tmp_path / "in2.csv.gz", "wb") as stream:
        pyarrow.csv.write_csv(rows(20_000), stream)
    whole = (tmp_path / "in2.csv.gz").read_bytes()
    (tmp_path / "in2.csv.gz").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("out", ["out.csv", "out.parquet", "out/"])
def test_an_error_names_the_file_and_leaves_what_was_there(score, tmp_path, out):
    fail_at(tmp_path)
    score(out, "in1.csv")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match=r"in2\.csv\.gz"):
        score(out)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.rglob(".tmp-*"))


def test_an_interrupt_leaves_nothing(plan, tmp_path):
    for i in range(3):
        pyarrow.csv.write_csv(rows(5), tmp_path / f"in{i}.csv")
    seen = []

    def interrupt(num_fragments: int, num_rows: int) -> None:
        seen.append((num_fragments, num_rows))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan("new/out.csv").run(LocalEngine(), interrupt)
    assert seen == [(3, 15)]
    assert below(tmp_path) == {"in0.csv", "in1.csv", "in2.csv"}


def test_a_place_that_can_not_be_written_is_told(plan, tmp_path):
    pyarrow.csv.write_csv(rows(5), tmp_path / "in.csv")
    (tmp_path / "file").touch()
    job = plan("file/out.csv")
    with pytest.raises(StorageError, match="must be writable"):
        job.run(LocalEngine())


def test_a_damaged_package_scores_nothing(shop, plan, tmp_path):
    pyarrow.csv.write_csv(rows(5), tmp_path / "in.csv")
    job = plan("out.csv")
    weights = Path(shop[1].uri(shop[0].package)) / "postprocess.json"
    content = weights.read_bytes()
    try:
        weights.write_bytes(content + b" ")
        with pytest.raises(PackageError, match="as they were written"):
            job.run(LocalEngine())
    finally:
        weights.write_bytes(content)
    assert below(tmp_path) == {"in.csv"}


# Where it is done


def test_small_fragments_are_handed_out_together(plan, tmp_path):
    pyarrow.csv.write_csv(rows(1), tmp_path / "in.csv")
    (one,) = plan("out.csv").fragments
    fragments = [dataclasses.replace(one, index=i, size=size) for i, size in enumerate([5, 5, 20, 3, 9, 1])]
    assert [[f.index for f in run] for run in in_runs(fragments, 10)] == [[0, 1], [2], [3, 4], [5]]
    assert in_runs(fragments, 0) == [(fragment,) for fragment in fragments]


@pytest.mark.parametrize(("sizes", "is_large"), [([1 << 30], False), ([1 << 29] * 2, True), ([1 << 29, 0], False)])
def test_a_large_table_is_worth_a_cluster(plan, tmp_path, sizes, is_large):
    pyarrow.csv.write_csv(rows(1), tmp_path / "in.csv")
    job = plan("out.csv")
    fragments = [dataclasses.replace(job.fragments[0], size=size) for size in sizes]
    assert dataclasses.replace(job, fragments=fragments).is_large is is_large


@pytest.mark.ray
@pytest.mark.parametrize("out", ["out.csv", "out.parquet", "out/"])
def test_a_cluster_writes_the_same(plan, tmp_path, monkeypatch, ray_session, out):
    from distml.data.on_ray import RayEngine

    monkeypatch.setattr("distml.lifecycle.scoring.job._RUN_BYTES", 1)
    for i in range(6):
        table = rows(100 + i, seed=i)
        pq.write_table(
            table.set_column(0, "price", [table.column("price").to_numpy() - 2]), tmp_path / f"in{i}.parquet"
        )
    documents, contents = [], []
    for engine in (LocalEngine(), RayEngine()):
        documents.append(plan(out).run(engine).to_dict())
        written = [path for path in sorted(tmp_path.rglob("*")) if path.is_file() and not path.name.startswith("in")]
        contents.append({path.name: path.read_bytes() for path in written})
    assert documents[0]["num_quarantined"] > 0
    assert documents[0] == documents[1]
    assert contents[0] == contents[1]


@pytest.mark.ray
def test_an_error_of_a_worker_is_told_without_frames(plan, tmp_path, ray_session):
    from distml.data.on_ray import RayEngine

    fail_at(tmp_path)
    with pytest.raises(DataError) as caught:
        plan("out.csv").run(RayEngine())
    assert "in2.csv.gz" in caught.value.where
    assert "\n" not in str(caught.value)
    assert below(tmp_path) == {"in1.csv", "in2.csv.gz"}


# Files


@pytest.mark.parametrize("action", ["drop", "quarantine"])
def test_lines_that_are_no_rows_are_set_aside_with_their_place(score, tmp_path, action):
    (tmp_path / "in.csv").write_text("price,pages,shelf\n1,100,a\n\n1,2\n2,100,b\n-1,100,a\n")
    scored = score("out.csv", "in.csv", ragged=action)
    assert (scored.num_rows, scored.num_quarantined) == (2, 2)
    assert scored.reasons["every line has 3 values"] == 1
    aside = list(csv.DictReader(Path(scored.quarantine).read_text().splitlines()))
    assert [row["distml_row"] for row in aside] == ["2", ""]
    assert aside[1]["distml_reason"] == "line 4, '1,2': every line has 3 values, this one 2"


def test_files_of_other_columns_are_aligned_if_told_so(score, tmp_path):
    (tmp_path / "in1.csv").write_text("price,pages,shelf\n1,100,a\n")
    (tmp_path / "in2.csv").write_text("shelf,more,price,pages\nb,1,2,100\n")
    (tmp_path / "in3.csv").write_text("shelf,price,pages\nc,3,100\n")
    with pytest.raises(DataError, match="same columns"):
        score("out.csv", "in?.csv")
    assert score("out.csv", "in?.csv", schema_changes="align").num_rows == 3
    written = read(tmp_path / "out.csv")
    assert written.column_names == ["price", "pages", "shelf", *ADDED]
    assert written.column("shelf").to_pylist() == ["a", "b", "c"]


def test_json_lines_and_folders_named_for_a_column(score, tmp_path):
    for shelf in "ab":
        (tmp_path / f"in/shelf={shelf}").mkdir(parents=True)
        (tmp_path / f"in/shelf={shelf}/t.jsonl").write_text('{"price": 1, "pages": 100}\n{"price": 1.5, "pages": 99}\n')
    assert score("out.csv", "in").num_rows == 4
    assert read(tmp_path / "out.csv").column("shelf").to_pylist() == ["a", "a", "b", "b"]
