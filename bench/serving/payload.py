"""What is asked: the package's golden rows, in the words of each protocol; and whether the answers are right."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from distml.predictor import Predictor
from distml.records import table_from_records
from serving.load import ARROW, JSON

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How rows are written, and the score of each row read from the answer (as `Prediction.score`)."""

    media_type: str
    write: Callable[[Rows, Predictor], bytes]
    read: Callable[[bytes, Predictor], Sequence[float]]


def _write_json(rows: Rows, predictor: Predictor) -> bytes:
    return orjson.dumps({"rows": rows})


def _read_json(body: bytes, predictor: Predictor) -> list[float]:
    answer = orjson.loads(body)
    if "probabilities" not in answer:
        return answer["predictions"]
    return [_score(list(shares.values())) for shares in answer["probabilities"]]


def _write_split(rows: Rows, predictor: Predictor) -> bytes:
    names = list(rows[0])
    return orjson.dumps(
        {"dataframe_split": {"columns": names, "data": [[row[name] for name in names] for row in rows]}}
    )


def _read_split(body: bytes, predictor: Predictor) -> list[float]:
    predictions = orjson.loads(body)["predictions"]
    if len(predictions[0]) == 1:
        return [row["prediction"] for row in predictions]
    return [_score([share for name, share in row.items() if name != "prediction"]) for row in predictions]


def _write_arrow(rows: Rows, predictor: Predictor) -> bytes:
    import pyarrow as pa

    table = table_from_records(rows, predictor.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _read_arrow(body: bytes, predictor: Predictor) -> list[float]:
    import pyarrow as pa

    table = pa.ipc.open_stream(body).read_all()
    if table.num_columns == 1:
        return table["prediction"].to_pylist()
    shares = table.drop_columns(["prediction"])
    return [_score(list(row.values())) for row in shares.to_pylist()]


def _score(shares: list[float]) -> float:
    return shares[1] if len(shares) == 2 else max(shares)


ROWS = Protocol(media_type=JSON, write=_write_json, read=_read_json)
SPLIT = Protocol(media_type=JSON, write=_write_split, read=_read_split)
STREAM = Protocol(media_type=ARROW, write=_write_arrow, read=_read_arrow)


def golden_rows(predictor: Predictor) -> Rows:
    golden = predictor.package.golden
    assert golden is not None, "a registered package has golden rows"
    return golden.rows


def bodies(protocol: Protocol, rows: Rows, rows_each: int, predictor: Predictor, folder: Path) -> tuple[Path, ...]:
    """Files of one request each: a row each, or all of so many, over and over the rows there are."""
    requests = [[row] for row in rows] if rows_each == 1 else [[rows[i % len(rows)] for i in range(rows_each)]]
    paths = []
    for number, some in enumerate(requests):
        path = folder / f"{id(protocol)}-{rows_each}-{number}"
        path.write_bytes(protocol.write(some, predictor))
        paths.append(path)
    return tuple(paths)


def check(url: str, protocol: Protocol, rows: Rows, predictor: Predictor) -> None:
    """Raises `AssertionError` unless a server predicts the rows as the predictor does, to 1e-6."""
    headers = {"Content-Type": protocol.media_type, "Accept": protocol.media_type}
    request = urllib.request.Request(url, protocol.write(rows, predictor), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = protocol.read(answer.read(), predictor)
    wanted = predictor.predict(table_from_records(rows, predictor.schema)).score
    np.testing.assert_allclose(np.asarray(found, float), wanted, rtol=0, atol=1e-6, err_msg=url)


def check_watched(url: str, *, is_watched: bool) -> None:
    """Raises `AssertionError` unless a service's monitor has heard of requests, or of none."""
    time.sleep(3)  # flushes come once a second, of what was before the last
    with urllib.request.urlopen(f"{url.removesuffix('/predict')}/metrics", timeout=60) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line.startswith("distml_rows_total{")]
    num_rows = sum(float(line.rpartition(" ")[2]) for line in lines)
    assert (num_rows > 0) == is_watched, f"{url}: {num_rows:.0f} rows are known to the monitor"
