"""Seconds and memory of preparation: distml in this process or over Ray, hand-written polars, Ray Data's Chain.

    python bench/prepare.py                              # 1M rows x 15 columns, in this process, against both
    python bench/prepare.py --engine ray --rows 10000000 --peers polars
    python bench/prepare.py --rows 100000 --columns 1000 --peers ""
    python bench/prepare.py --taxi FOLDER                # files of CSV, against polars
    python bench/prepare.py --adult FOLDER               # one row of adult.data, as a request has it

All in one run, in turn, so that the ratios hold on a machine that others use too. Each does its work several times;
what is compared are medians. `polars` does the same work: duplicates by hash, a split by hash, a summary of each split,
both recipes fitted on the training rows, features and held-out rows written. `polars-bare` leaves out duplicates, the
split and the second recipe. `chain` is Ray Data's imputer, scaler, encoder and concatenator, fitted, applied, written;
`chain-onehot` the same with columns for each of the 32 most frequent categories in place of codes.
Polars is no dependency of distml: `pip install polars`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distml.cluster.on_ray import local_cluster
from distml.config import RunConfig, load_config, parse_config
from distml.data import Engine, LocalEngine
from distml.features.few import FewRows
from distml.lifecycle.prepare import prepare
from distml.records import records_from_table, table_from_records
from distml.storage import Storage

SIZES = (2, 5, 12, 50, 300, 2000)  # of the categorical columns, in turn


def table_of(num_rows: int, num_columns: int, seed: int) -> pa.Table:
    """Numbers of several shapes and categories of several sizes, some values missing, and a class `y`."""
    rng = np.random.default_rng(seed)
    num_texts = (num_columns - 1) * 6 // 14
    columns: dict[str, Any] = {}
    for i in range(num_columns - 1 - num_texts):
        kinds = (lambda: np.round(rng.lognormal(3, 1, num_rows), 2), lambda: rng.normal(i, 1 + i, num_rows),  # noqa: B023
                 lambda: rng.integers(0, 100, num_rows).astype(float))  # fmt: skip
        columns[f"n{i}"] = pa.array(kinds[i % 3](), mask=rng.random(num_rows) < 0.03 * (i % 3))
    for i in range(num_texts):
        size = SIZES[i % len(SIZES)]
        shares = 1 / np.arange(1, size + 1)
        codes = pa.array(
            rng.choice(size, num_rows, p=shares / shares.sum()), mask=rng.random(num_rows) < 0.02 * (i % 2)
        )
        columns[f"c{i}"] = pa.array([f"c{i}_{j}" for j in range(size)]).take(codes)
    columns["y"] = pa.array(np.where(rng.random(num_rows) < 0.4, "yes", "no"))
    return pa.table(columns)


def write_table(path: Path, num_rows: int, num_columns: int) -> None:
    """A Parquet file, a million rows a time."""
    with pq.ParquetWriter(path, table_of(1, num_columns, 0).schema) as writer:
        for start in range(0, num_rows, 1_000_000):
            writer.write_table(table_of(min(1_000_000, num_rows - start), num_columns, start + 1))


def config_of(uri: str, target: str) -> RunConfig:
    config = {
        "name": "bench",
        "data": {"source": {"uri": uri}, "target": target},
        "features": {"numeric": {"scale": "standard"}},
    }
    return parse_config(json.dumps(config))


def ours(uri: str, target: str, engine: Engine) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepare(config_of(uri, target), Storage(folder), engine)


def polars(uri: str, target: str) -> None:
    """The same work, written by hand for tables of numbers, dates and texts."""
    import polars as pl

    with tempfile.TemporaryDirectory() as folder:
        table = pl.read_parquet(uri) if uri.endswith(".parquet") else read_taxi(uri)
        rows = table.hash_rows(seed=0)
        first = rows.is_first_distinct()
        table, rows = table.filter(first), rows.filter(first)
        place = rows.cast(pl.Float64) / 2.0**64
        split = pl.select(pl.when(place < 0.15).then(2).when(place < 0.3).then(1).otherwise(0)).to_series()
        parts = {name: table.filter(split == code) for code, name in enumerate(("train", "validation", "test"))}
        facts = {name: summary_of(part, target) for name, part in parts.items()}
        for name, part in parts.items():
            for recipe in ("dense", "trees"):
                encode(part, facts["train"], target, dense=recipe == "dense").write_ipc(f"{folder}/{recipe}-{name}")
            if name != "train":
                part.write_ipc(f"{folder}/{name}", compression="lz4")


def read_taxi(uri: str) -> Any:
    """What one who knows the files writes: types that all have, dates as seconds."""
    import polars as pl

    table = pl.read_csv(uri, schema_overrides={"congestion_surcharge": pl.Float64})
    stamps = (pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S") for name in ("pickup_datetime", "dropoff_datetime"))
    return table.with_columns(stamp.dt.epoch("s").cast(pl.Float64) for stamp in stamps)


def polars_bare(uri: str, target: str) -> None:
    import polars as pl

    with tempfile.TemporaryDirectory() as folder:
        table = pl.read_parquet(uri)
        encode(table, summary_of(table, target), target, dense=True).write_ipc(f"{folder}/dense")


def summary_of(table: Any, target: str) -> dict[str, Any]:
    """Nulls, moments and extremes of numbers, deciles from a sample as large as ours, counts of categories."""
    import polars as pl

    numbers = [name for name, kind in table.schema.items() if kind.is_numeric() and name != target]
    texts = [name for name in table.columns if name not in numbers and name != target]
    asked = {"mean": "mean", "std": "std", "min": "min", "max": "max", "nulls": "null_count"}
    facts = table.select(
        getattr(pl.col(name).cast(pl.Float64), call)().alias(f"{name}/{key}")
        for name in numbers
        for key, call in asked.items()
    ).row(0, named=True)
    sample = table.sample(min(20_000, len(table)), seed=0)
    facts |= sample.select(
        pl.col(name).cast(pl.Float64).quantile(q / 10).alias(f"{name}/{q}") for name in numbers for q in range(11)
    ).row(0, named=True)
    counts = {name: table[name].drop_nulls().cast(pl.String).value_counts(sort=True)[name] for name in texts}
    return {"numbers": numbers, "facts": facts, "counts": counts}


def encode(table: Any, summary: dict[str, Any], target: str, *, dense: bool) -> Any:
    import polars as pl

    facts, made = summary["facts"], []
    for name in summary["numbers"]:
        value = pl.col(name).cast(pl.Float64)
        if dense and facts[f"{name}/nulls"]:
            made.append(value.is_null().cast(pl.Float32).alias(f"{name}_missing"))
        if dense:
            value = (value.fill_null(facts[f"{name}/5"]) - facts[f"{name}/mean"]) / facts[f"{name}/std"]
        made.append(value.cast(pl.Float32).alias(name))
    for name, known in summary["counts"].items():
        codes = np.arange(2, 2 + len(known))
        made.append(pl.col(name).cast(pl.String).replace_strict(known, codes, default=1, return_dtype=pl.UInt16))
    return table.select(*made, pl.col(target))


def chain(uri: str, target: str, *, one_hot: bool = False) -> None:
    import ray.data
    from ray.data.preprocessors import (
        Chain,
        Concatenator,
        OneHotEncoder,
        OrdinalEncoder,
        SimpleImputer,
        StandardScaler,
    )

    schema = pq.read_schema(uri)
    numbers = [field.name for field in schema if pa.types.is_floating(field.type)]
    texts = [field.name for field in schema if pa.types.is_string(field.type) and field.name != target]
    dataset = ray.data.read_parquet(uri)
    fitted = Chain(
        SimpleImputer(numbers, strategy="mean"),
        SimpleImputer(texts, strategy="most_frequent"),
        StandardScaler(numbers),
        OneHotEncoder(texts, max_categories=dict.fromkeys(texts, 32)) if one_hot else OrdinalEncoder(texts),
        Concatenator(columns=[*numbers, *texts], output_column_name="features", dtype=np.float32, flatten=one_hot),
    ).fit(dataset)
    with tempfile.TemporaryDirectory() as folder:
        fitted.transform(dataset).write_parquet(folder)


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """The most gigabytes that this process and all that it started take together, shared pages counted once."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], sum(_proportional_kb(pid) for pid in _family(os.getpid())) / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _family(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family, grown = {root}, True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if parent in family and pid not in family:
                family.add(pid)
                grown = True
    return family


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def seconds_of(work: Callable[[], object]) -> float:
    os.sync()  # what one leaves to be written is not paid for by the next, who makes its files durable
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_one_row(folder: str) -> None:
    """Features of one JSON row, value by value and by the way of tables, for both recipes."""
    overrides = [f"data.source.uri={folder}/adult.data", f"data.test.uri={folder}/adult.test"]
    config = load_config(Path(__file__).parents[1] / "configs/adult.yaml", overrides)
    with tempfile.TemporaryDirectory() as scratch:
        prepared = prepare(config, Storage(scratch), LocalEngine())
        table, _ = prepared.rows("test")
    (row,) = records_from_table(table.select([column.name for column in prepared.schema.inputs]).slice(0, 1))
    for recipe, pipeline in prepared.pipelines.items():
        few = FewRows.of(pipeline)
        assert few is not None and few.encode([row]) is not None
        ways: dict[str, Callable[[], object]] = {
            "value by value": lambda: few.encode([row]),  # noqa: B023
            "as a table": lambda: pipeline.transform(table_from_records([row], prepared.schema)),  # noqa: B023
        }
        taken = {name: min(timeit.repeat(way, number=200, repeat=9)) / 200 * 1e6 for name, way in ways.items()}
        told = ", ".join(f"{micros:.0f} us {name}" for name, micros in taken.items())
        print(f"{recipe}: {told}; {taken['value by value'] / taken['as a table']:.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=15)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--peers", default="polars,polars-bare,chain,chain-onehot")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--taxi", help="a folder of monthly CSV files, in place of a generated table")
    parser.add_argument("--adult", help="the folder of adult.data and adult.test: what one row takes, in microseconds")
    given = parser.parse_args()
    if given.adult:
        measure_one_row(given.adult)
        return
    peers = [name for name in given.peers.split(",") if name]
    with tempfile.TemporaryDirectory() as folder:
        if given.taxi:
            uri, target = f"{given.taxi}/yellow_tripdata_sample_20??-??.csv", "total_amount"
            peers = [name for name in peers if name == "polars"]
        else:
            uri, target = f"{folder}/table.parquet", "y"
            write_table(Path(uri), given.rows, given.columns)
        needs_ray = given.engine == "ray" or any("chain" in name for name in peers)
        with local_cluster() if needs_ray else nullcontext():
            measure(uri, target, given, peers)


def measure(uri: str, target: str, given: argparse.Namespace, peers: list[str]) -> None:
    engine: Engine = LocalEngine()
    if given.engine == "ray":
        from distml.data.on_ray import RayEngine

        engine = RayEngine()
    own: dict[str, Callable[[str, str], None]] = {
        "polars": polars, "polars-bare": polars_bare, "chain": chain,
        "chain-onehot": lambda u, t: chain(u, t, one_hot=True), "ours": lambda u, t: ours(u, t, engine),
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    own["ours"](uri, target)  # imports, and workers that are there already, are not what is measured
    with peak_memory() as peak:
        seconds["ours"].append(seconds_of(lambda: own["ours"](uri, target)))
    for _ in range(given.rounds):
        for name in seconds:
            if "chain" not in name or not seconds[name]:
                seconds[name].append(seconds_of(lambda: own[name](uri, target)))  # noqa: B023
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\nours over {given.engine}: {median['ours']:.2f} s, at most {peak[0]:.1f} GB in all processes together")
    for name in peers:
        print(f"{name}: {median[name]:.2f} s, ours takes {median['ours'] / median[name]:.2f} of it")


if __name__ == "__main__":
    main()
