"""Rows per second of batch scoring: in this process, over a pool of workers, and one request per row.

    python bench/predict.py --rows 2000000 --files 8 --family mlp

All in one run, in turn, so that the ratios hold on a machine that others use too. The pool's cluster is started
before; its workers are started, and load the model, within the time that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from distml.cluster.on_ray import local_cluster
from distml.config import SourceConfig, parse_config
from distml.data import Engine, LocalEngine
from distml.lifecycle.predict import predict_table
from distml.lifecycle.run import Resources, run
from distml.predictor import Predictor
from distml.records import records_from_table
from distml.registry import Version
from distml.serve.admission import Place
from distml.serve.service import Service
from distml.serve.traffic import Deployed, Traffic
from distml.serve.versions.live import Live, Serving
from distml.storage import Storage

CONFIG = """
name: bench
data: {source: {uri: URI}, target: y, task: binary}
model: {families: [FAMILY]}
search: {num_samples: 1}
train: {max_epochs: 2}
"""
NUM_REQUESTS = 2_000


def table_of(num_rows: int, seed: int) -> pa.Table:
    """Ten numbers and three categories, one row in a thousand with a missing value."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(10, num_rows))
    numbers[0, ::1000] = np.nan
    columns = {f"n{i}": column for i, column in enumerate(numbers)}
    columns |= {f"c{i}": rng.choice([f"v{k}" for k in range(20)], num_rows) for i in range(3)}
    return pa.table({**columns, "y": np.where(numbers[1] + rng.normal(size=num_rows) > 0, "yes", "no")})


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def request_rows(service: Service, rows: list[dict[str, object]]) -> None:
    async def one_after_another() -> None:
        for row in rows:
            body = orjson.dumps(row)

            async def read(place: Place, body: bytes = body) -> bytes:
                return body

            assert (await service.handle("POST", "/predict", {}, read)).status == 200

    asyncio.run(one_after_another())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--family", default="mlp")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distml-bench-") as folder:
        measure(Path(folder), chosen.rows, chosen.files, chosen.family, chosen.rounds)


def measure(folder: Path, num_rows: int, num_files: int, family: str, num_rounds: int) -> None:
    version, storage, predictor = trained(folder, family)
    (folder / "in").mkdir()
    for i in range(num_files):
        pq.write_table(table_of(num_rows // num_files, i + 1), folder / "in" / f"{i:03d}.parquet")
    source = SourceConfig(uri=str(folder / "in"))
    service = Service("bench")
    main = Deployed(version=version.number, package=version.package)
    live = Live(version.number, predictor, max_batch_rows=256)
    service.swap(Serving(traffic=Traffic(main=main), main=live, by_number={live.number: live}))
    requests = records_from_table(table_of(NUM_REQUESTS, 0).drop_columns(["y"]))

    def score(engine: Engine) -> None:
        predict_table(version, storage, source, f"{folder}/out/", engine, overwrite=True)

    with local_cluster():
        from distml.data.on_ray import RayEngine

        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "a request per row": (NUM_REQUESTS, lambda: request_rows(service, requests)),
            "this process": (num_rows, lambda: score(LocalEngine())),
            "a pool of workers": (num_rows, lambda: score(RayEngine())),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(num_rounds):
            for way, (_, work) in ways.items():
                seconds[way].append(seconds_of(work))
    tell({way: [rows / taken for taken in seconds[way]] for way, (rows, _) in ways.items()})


def trained(folder: Path, family: str) -> tuple[Version, Storage, Predictor]:
    pq.write_table(table_of(5_000, 0), folder / "table.parquet")
    text = CONFIG.replace("URI", str(folder / "table.parquet")).replace("FAMILY", family)
    result = run(parse_config(text, [f"storage={folder / 'store'}"]), Resources())
    assert result.version is not None
    with result.storage.local_folder(result.version.package) as home:
        return result.version, result.storage, Predictor.load(home)


def tell(rates: dict[str, list[float]]) -> None:
    base = statistics.median(next(iter(rates.values())))
    for way, found in rates.items():
        middle = statistics.median(found)
        print(f"{way:<20}{middle:>12,.0f} rows/s ({min(found):,.0f} to {max(found):,.0f}){middle / base:>8.1f} x")


if __name__ == "__main__":
    main()
