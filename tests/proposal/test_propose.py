"""What a table's run config should be, from the table itself."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import CleanConfig
from distml.errors import DataError
from distml.inspection import Remark
from distml.proposal.propose import Proposal, name_of, propose

N = 400
RNG = np.random.default_rng(6)


def write(path: Path, header: str | None, rows: list[str], delimiter: str = ",") -> str:
    path.write_text("\n".join([header, *rows] if header else rows).replace(",", delimiter) + "\n")
    return str(path)


def rows(n: int = N, labels: tuple[str, str] = ("no", "yes")) -> list[str]:
    """Rows of a counter, a number with gaps, a word with gaps, and a class."""
    x = RNG.normal(size=n)
    is_second = x + RNG.normal(size=n) > 0.5
    return [
        f"{i},{'?' if i % 10 == 3 else format(x[i], '.4f')},{('red', 'green', 'unknown', '?')[i % 4]},"
        f"{labels[int(is_second[i])]}"
        for i in range(n)
    ]


def columns(remarks: tuple[Remark, ...]) -> list[str | None]:
    return [remark.column for remark in remarks]


def settings(proposal: Proposal) -> dict[str, object]:
    return proposal.data.source.model_dump(exclude={"uri"}, exclude_defaults=True)


def test_a_table_with_a_little_of_everything(tmp_path):
    found = propose(write(tmp_path / "Some Table.csv", "row,x,color,y", rows()), "y")
    assert (found.name, found.num_rows, found.is_whole) == ("some_table", N, True)
    assert settings(found) == {"missing": ("", "?")}
    assert (found.data.task, found.data.positive) == ("binary", "yes")
    assert found.data.roles.id == ("row",)
    assert found.data.exclude == ()
    assert found.clean == CleanConfig()
    assert dict(found.tokens.missing) == {"?": {"x": 40, "color": 100}}
    assert dict(found.tokens.doubtful) == {"unknown": {"color": 100}}
    assert found.leaks.certain == ()


@pytest.mark.parametrize("target", ["c4", "4"])
def test_a_table_without_names(tmp_path, target):
    found = propose(write(tmp_path / "t.data", None, rows(), ";"), target)
    assert settings(found) == {
        "missing": ("", "?"),
        "header": False,
        "columns": ("c1", "c2", "c3", "c4"),
        "delimiter": ";",
    }
    assert (found.data.target, found.is_named) == ("c4", False)


def test_given_names(tmp_path):
    found = propose(write(tmp_path / "t.data", None, rows()), "label", columns=["row", "x", "color", "label"])
    assert found.data.source.columns == ("row", "x", "color", "label")
    assert found.data.roles.id == ("row",)


def test_what_is_missing_in_one_column_alone_is_replaced_there(tmp_path):
    lines = [line.replace("?", "unknown") for line in rows()]
    found = propose(write(tmp_path / "t.csv", "row,x,color,y", lines), "y")
    assert found.clean.replace == {"x": {"unknown": None}}
    assert dict(found.data.kinds) == {}  # x is read as a number by then


# Test tables


def test_a_test_table_in_another_dialect(tmp_path):
    source = write(tmp_path / "train.csv", None, rows(labels=("<=5", ">5")))
    lines = ["|a remark", *[line + "." for line in rows(100, labels=("<=5", ">5"))]]
    other = write(tmp_path / "test.csv", None, lines)
    found = propose(source, "4", test=other)
    assert found.data.test is not None
    assert (found.data.test.comment, found.data.test.columns) == ("|", ("c1", "c2", "c3", "c4"))
    assert found.clean.replace == {"c4": {"<=5.": "<=5", ">5.": ">5"}}
    assert found.data.positive == ">5"


def test_a_test_table_with_a_header_beside_a_source_without(tmp_path):
    source = write(tmp_path / "train.csv", None, rows())
    other = write(tmp_path / "test.csv", "c1,c2,c3,c4", rows(50))
    found = propose(source, "c4", test=other)
    assert found.data.test is not None
    assert (found.data.test.header, found.data.test.columns) == (True, None)


def test_a_test_table_without_the_target_is_refused(tmp_path):
    source = write(tmp_path / "train.csv", "row,x,color,y", rows())
    other = write(tmp_path / "test.csv", "row,x,color", [line.rsplit(",", 1)[0] for line in rows(50)])
    with pytest.raises(DataError, match="columns of the source, the target too") as caught:
        propose(source, "y", test=other)
    assert caught.value.received == "no column y"


def test_a_column_of_numbers_that_the_test_table_writes_as_words(tmp_path):
    lines = [f"{i % 7},{RNG.normal():.3f},{'ab'[i % 2]}" for i in range(N)]
    source = write(tmp_path / "train.csv", "k,x,y", lines)
    other = write(tmp_path / "test.csv", "k,x,y", [f"w{line}" for line in lines])
    found = propose(source, "y", test=other)
    assert dict(found.data.kinds) == {"k": "categorical"}
    assert columns(found.kinds) == ["k"]


# Kinds


def test_the_first_rows_do_not_decide_a_kind(tmp_path):
    for month in range(6):
        gap = "" if month < 5 else "2.5"
        lines = [f"{RNG.normal():.3f},{gap},{'ab'[i % 2]}" for i in range(100)]
        write(tmp_path / f"{month}.csv", "x,fee,y", lines)
    found = propose(str(tmp_path), "y")
    assert dict(found.data.kinds) == {"fee": "numeric"}
    assert found.kinds[0].text == "would be read as categorical from the first rows alone"


def test_codes_are_categories(tmp_path):
    lines = [f"{['01', '02', '10'][i % 3]},{i % 5 + 1},{RNG.normal():.3f},{'ab'[i % 2]}" for i in range(N)]
    found = propose(write(tmp_path / "t.csv", "area,store_id,x,y", lines), "y")
    assert dict(found.data.kinds) == {"area": "categorical", "store_id": "categorical"}


def test_columns_of_types_that_no_model_reads_are_excluded(tmp_path):
    table = pa.table({"x": RNG.normal(size=N), "tags": [["a"]] * N, "y": [i % 2 for i in range(N)]})
    pq.write_table(table, tmp_path / "t.parquet")
    found = propose(str(tmp_path / "t.parquet"), "y")
    assert found.data.exclude == ("tags",)
    assert "holds list<" in found.columns.useless[0].text
    with pytest.raises(DataError, match="a class or a number"):
        propose(str(tmp_path / "t.parquet"), "tags")


# Leaks


def test_leaks_are_excluded_and_their_ids_are_not(tmp_path):
    a, b = RNG.poisson(20, N), RNG.poisson(50, N)
    lines = [f"{i},{a[i]},{b[i]},{RNG.normal():.3f},{a[i] + b[i]}" for i in range(N)]
    found = propose(write(tmp_path / "t.csv", "i,a,b,x,total", lines), "total")
    assert (found.data.task, found.data.roles.id) == ("regression", ("i",))
    assert set(found.data.exclude) == {"a", "b"}
    document = found.to_dict()
    assert [(item["column"], item["excluded"]) for item in document["suspected_leaks"]] == [("b", True), ("a", True)]


def test_copies_that_must_be_cases_are_kept(tmp_path):
    lines = [f"{i % 20},{'xyz'[i % 3]},{'yes' if i % 7 else 'no'}" for i in range(1000)]
    assert propose(write(tmp_path / "t.csv", "a,b,y", lines), "y").clean.duplicates == "keep"
    # Of a few dozen rows that differ, kept copies would leave a split without any.
    assert propose(write(tmp_path / "t.csv", "a,b,y", lines[:200]), "y").clean.duplicates == "drop"


# What is refused


@pytest.mark.parametrize(
    ("header", "line", "target", "rule"),
    [
        ("a,b,y", "{i},x,1", "z", "a target is a column"),
        ("a,b,y", "{i},x,1", "y", "at least two values"),
        ("a,b,y", "{i},x,", "y", "a target has values"),
        ("a,b,y", "{i},x,name {i}", "y", "repeats its classes"),
        ("a,b,y", "{i},x,{k}", "y", "at least one feature beside its target"),
        ("a,y", "1,{k}", "y", "at least 4 rows that differ"),
        ("y", "{i}", "y", "at least one feature beside its target"),
    ],
)
def test_tables_that_nothing_can_be_learned_from(tmp_path, header, line, target, rule):
    path = write(tmp_path / "t.csv", header, [line.format(i=i, k=i % 2) for i in range(N)])
    with pytest.raises(DataError, match=rule):
        propose(path, target)


# Names


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("data/adult.data", "adult"),
        ("/x/T 2024-01.csv.gz", "t_2024-01"),
        ("x/_private.csv", "private"),
        ("data/taxi/*.csv", "taxi"),
        ("data/taxi/", "taxi"),
        ("s3://bucket/a/b.parquet", "b"),
        ("sklearn:wine", "wine"),
        ("here/数据.csv", "here"),
        ("/数/据.csv", "table"),
        ("a" * 80 + ".csv", "a" * 63),
    ],
)
def test_names(uri, name):
    assert name_of(uri) == name


def test_a_path_is_relative_to_the_current_folder_where_it_is_below(tmp_path, monkeypatch):
    (tmp_path / "here" / "data").mkdir(parents=True)
    path = write(tmp_path / "here" / "data" / "t.csv", "row,x,color,y", rows())
    monkeypatch.chdir(tmp_path / "here")
    assert propose(path, "y").data.source.uri == os.path.join("data", "t.csv")
    monkeypatch.chdir(tmp_path / "here" / "data")
    assert propose("../data/t.csv", "y").data.source.uri == "t.csv"
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    assert propose("../here/data/t.csv", "y").data.source.uri == path


# The real tables


@pytest.mark.parametrize(
    ("table", "target", "task", "ids", "exclude", "likely"),
    [
        ("bank_marketing/bank-full.csv", "y", "binary", (), set(), ["duration"]),
        ("bike_sharing/hour.csv", "cnt", "regression", ("instant",), {"casual", "registered"}, []),
        ("bike_sharing/day.csv", "cnt", "regression", ("instant",), {"casual", "registered"}, []),
        ("elec2/elec.csv", "class", "binary", (), set(), []),
        ("california_housing/housing.csv", "median_house_value", "regression", (), set(), []),
        ("california_housing/cal_housing.data", "9", "regression", (), set(), []),
    ],
)
def test_real_tables(shared_data, table, target, task, ids, exclude, likely):
    found = propose(str(shared_data / table), target)
    assert (found.data.task, found.data.roles.id, set(found.data.exclude)) == (task, ids, exclude)
    assert columns(found.leaks.likely) == likely


def test_adult_with_its_test_table(shared_data):
    folder = shared_data / "adult"
    found = propose(str(folder / "adult.data"), "c15", test=str(folder / "adult.test"))
    assert found.data.test is not None
    assert (found.data.source.header, found.data.test.comment) == (False, "|")
    assert found.data.source.missing == ("", "?")
    assert found.clean.replace == {"c15": {"<=50K.": "<=50K", ">50K.": ">50K"}}
    assert (found.data.positive, found.data.exclude, found.leaks.likely) == (">50K", (), ())


@pytest.mark.parametrize(
    ("table", "target", "parts", "kept"),
    [
        ("", "total_amount", {"fare_amount", "tip_amount", "tolls_amount"}, {"trip_distance", "extra"}),
        ("yellow_tripdata_sample_2020-05.csv", "tip_amount", {"total_amount"}, {"fare_amount", "tolls_amount"}),
        ("yellow_tripdata_sample_2019-05.csv", "fare_amount", {"total_amount"}, {"tip_amount", "trip_distance"}),
    ],
)
def test_the_parts_of_a_taxi_fare(shared_data, table, target, parts, kept):
    found = propose(str(shared_data / "nyc_taxi" / table), target)
    assert parts <= set(found.leaks.columns)
    assert not kept & set(found.data.exclude)
    assert found.data.roles.time == "pickup_datetime"
    assert "dropoff_datetime" in found.data.exclude
    assert found.data.kinds["payment_type"] == "categorical"
    assert list(found.left_out) == ([] if table else ["yellow_tripdata_sample_2021.csv"])
