"""Requests that no service may fall over: each with the status that it is answered with. Sent to the formats as they
are, and over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A request; make: its body, made when it is needed, as some are large."""

    name: str
    make: Callable[[], bytes]
    status: int
    path: str = "/predict"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})

    def __str__(self) -> str:
        return self.name


def hostile_requests(row: dict[str, Any], number: str, model: str = "shop") -> list[Hostile]:
    """The table, for a model that takes `row`, in which the column `number` is one. model: its name."""
    return [
        *_not_json(), *_values(row, number), *_shapes(row, number), *_columns(row, number), *_packed(row),
        *_elsewhere(row), *_invocations(row, number), *_inference(row, number, model), *_arrow(row, number),
    ]  # fmt: skip


def _plain(name: str, body: bytes | str, status: int, **more: Any) -> Hostile:
    content = body.encode() if isinstance(body, str) else body
    return Hostile(name=name, make=lambda: content, status=status, **more)


def _json(name: str, document: Any, status: int, **more: Any) -> Hostile:
    return _plain(name, orjson.dumps(document), status, **more)


def _not_json() -> Iterator[Hostile]:
    yield _plain("empty", b"", 400)
    yield _plain("white space", b" \n\t", 400)
    yield _plain("cut off", b'{"rows": [{', 400)
    yield _plain("two documents", b"{} {}", 400)
    yield _plain("not UTF-8", b'{"a": "\xff\xfe"}', 400)
    yield _plain("UTF-16", '{"a": 1}'.encode("utf-16"), 400)
    yield _plain("a byte order mark", b'\xef\xbb\xbf{"a": 1}', 400)
    yield _plain("half a surrogate pair", rb'{"a": "\ud800"}', 400)
    yield _plain("null bytes", b"\x00" * 1000, 400)
    yield _plain("depth 100,000 of lists", b"[" * 100_000, 400)
    yield _plain("depth 100,000, closed", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400)
    yield _plain("a trailing comma", b'{"a": 1,}', 400)
    yield _plain("single quotes", b"{'a': 1}", 400)


def _values(row: dict[str, Any], number: str) -> Iterator[Hostile]:
    def raw(literal: str) -> bytes:
        return orjson.dumps(row | {number: "@"}).replace(b'"@"', literal.encode())

    for literal in ("NaN", "Infinity", "-Infinity", "0x1F", "01", "+1", ".5"):
        yield _plain(f"the literal {literal}", raw(literal), 400)
    yield _plain("1e400", raw("1e400"), 400)
    yield _plain("-1e400", raw("-1e400"), 400)
    yield _plain("an integer of 5,000 digits", raw("9" * 5000), 400)
    for name, value in {
        "a number as text": "1", "a truth value for a number": True, "a list for a number": [1],
        "an object for a number": {}, "a text of 1 MB for a number": "x" * (1 << 20),
    }.items():  # fmt: skip
        yield _json(name, {"rows": [row, row | {number: value}]}, 422)
    nested: Any = 1
    for _ in range(100):
        nested = [nested]
    yield _json("depth 100 in a value", row | {number: nested}, 400)
    yield _json("depth 100 in a column that isn't read", row | {"more": nested}, 400)


def _shapes(row: dict[str, Any], number: str) -> Iterator[Hostile]:
    for document in (None, True, 3, "text", [], [row], {}, {"rows": []}, {"rows": {}}, {"rows": None}):
        yield _json(f"the document {orjson.dumps(document).decode()[:30]}", document, 422)
    for value in (None, 1, "text", [], [1]):
        yield _json(f"the row {value!r}", {"rows": [row, value]}, 422)
    yield _json("rows and more beside them", {"rows": [row], "more": 1}, 422)
    yield _json("100,000 rows", {"rows": [row] * 100_000}, 413)
    yield _plain("a million lists", b"[" + b"[]," * 1_000_000 + b"1]", 413)


def _columns(row: dict[str, Any], number: str) -> Iterator[Hostile]:
    missing = {name: value for name, value in row.items() if name != number}
    yield _json("a column is missing", missing, 422)
    yield _json("a column is misspelt", missing | {number.upper() + "x": 1}, 422)
    yield _json("100,000 columns that nobody reads", row | {f"c{i}": 1 for i in range(100_000)}, 422)
    twice = orjson.dumps(row)[:-1] + f', "{number}": 1}}'.encode()
    yield _plain("a column twice", twice, 422)
    yield _plain("a column twice in a second row", b'{"rows": [' + orjson.dumps(row) + b"," + twice + b"]}", 422)


def _packed(row: dict[str, Any]) -> Iterator[Hostile]:
    body = orjson.dumps(row)
    packed = {"content-type": JSON, "content-encoding": "gzip"}
    yield _plain("gzip that isn't", body, 400, headers=packed)
    yield _plain("gzip cut off", gzip.compress(body)[:-9], 400, headers=packed)
    yield _plain("gzip with a wrong checksum", gzip.compress(body)[:-8] + b"\0" * 8, 400, headers=packed)
    yield _plain("gzip of nothing", b"", 400, headers=packed)
    yield Hostile(name="gzip of 1 GB", make=lambda: _bomb(), status=413, headers=packed)
    for encoding in ("br", "zstd", "deflate", "gzip, gzip"):
        yield _plain(f"packed as {encoding}", body, 415, headers=packed | {"content-encoding": encoding})
    yield Hostile(name="100 MB", make=lambda: b" " * (100 << 20), status=413)


def _bomb() -> bytes:
    """A gigabyte of zeros as a megabyte: many members, each of a megabyte."""
    return gzip.compress(bytes(1 << 20)) * 1024


def _elsewhere(row: dict[str, Any]) -> Iterator[Hostile]:
    body = orjson.dumps(row)
    yield _plain("another path", body, 404, path="/nothing")
    yield _plain("a path out of the route", body, 404, path="/../predict")
    yield _plain("a path of 8 KB", body, 404, path="/" + "a" * 8000)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        yield _plain(f"{method} /predict", b"", 405, method=method)
    yield _plain("POST /schema", body, 405, path="/schema")
    for kind in (
        "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
        "application/json; charset=utf-16", "x" * 3000,
    ):  # fmt: skip
        yield _plain(f"as {kind[:40]}", body, 415, headers={"content-type": kind})
    yield _plain("accepts images only", body, 406, headers={"content-type": JSON, "accept": "image/*"})


def _invocations(row: dict[str, Any], number: str) -> Iterator[Hostile]:
    path, names, values = "/invocations", list(row), list(row.values())
    for name, document in {
        "a list": [row],
        "no form": {"rows": [row]},
        "two forms": {"inputs": {}, "instances": []},
        "a split frame without data": {"dataframe_split": {"columns": names}},
        "a split frame with a short row": {"dataframe_split": {"columns": names, "data": [values, values[1:]]}},
        "a split frame with a column twice": {
            "dataframe_split": {"columns": [*names, number], "data": [[*values, 1]]}
        },
        "a split frame whose names are numbers": {"dataframe_split": {"columns": [1, 2], "data": [[1, 2]]}},
        "a split frame without rows": {"dataframe_split": {"columns": names, "data": []}},
        "records that are no objects": {"dataframe_records": [values]},
        "records that are no list": {"dataframe_records": {}},
        "instances that are values": {"instances": values},
        "inputs of different lengths": {
            "inputs": {name: [value] for name, value in row.items()} | {number: [1, 2]}
        },
        "inputs without columns": {"inputs": {}},
    }.items():  # fmt: skip
        yield _json(f"MLflow: {name}", document, 422, path=path)
    csv = {"content-type": "text/csv"}
    header = ",".join(names)
    line = ",".join("" if value is None else str(value) for value in values)
    for name, body, status in (
        ("empty", "", 400),
        ("a header alone", header + "\n", 422),
        ("a short row", f"{header}\n{line}\n1\n", 422),
        ("a quote that isn't closed", f'{header}\n"{line}\n', 400),
        ("a column twice", f"{header},{number}\n{line},1\n", 422),
        ("a missing column", "other\n1\n", 422),
    ):
        yield _plain(f"CSV: {name}", body, status, path=path, headers=csv)
    yield _plain("CSV: not UTF-8", header.encode() + b"\n\xff\n", 400, path=path, headers=csv)
    yield _plain("CSV: Latin-1", header, 415, path=path, headers={"content-type": "text/csv; charset=latin-1"})


def _inference(row: dict[str, Any], number: str, model: str) -> Iterator[Hostile]:
    path = f"/v2/models/{model}/infer"
    tensor = {"name": number, "shape": [1], "datatype": "FP64", "data": [1.5]}
    for name, change in {
        "no name": {"name": None},
        "an unknown datatype": {"datatype": "FP128"},
        "no datatype": {"datatype": None},
        "a negative shape": {"shape": [-1]},
        "a shape without end": {"shape": [2**62, 2**62]},
        "a shape of three": {"shape": [1, 1, 1]},
        "a shape of floats": {"shape": [1.0]},
        "no shape": {"shape": []},
        "less data than its shape": {"shape": [3]},
        "data that is no list": {"data": 1.5},
        "texts as FP64": {"data": ["1.5"]},
        "a byte that is no byte": {"datatype": "INT8", "data": [300]},
    }.items():
        yield _json(f"Open Inference: {name}", {"inputs": [tensor | change]}, 422, path=path)
    yield _json("Open Inference: a tensor twice", {"inputs": [tensor, tensor]}, 422, path=path)
    yield _json("Open Inference: no inputs", {}, 422, path=path)
    yield _json("Open Inference: inputs that are no list", {"inputs": {"a": 1}}, 422, path=path)
    yield _json("Open Inference: tensors that are none", {"inputs": [1]}, 422, path=path)
    yield _json("Open Inference: an unknown output", {"inputs": [tensor], "outputs": [{"name": "x"}]}, 400, path=path)


def _arrow(row: dict[str, Any], number: str) -> Iterator[Hostile]:
    arrow = {"content-type": ARROW}
    table = pa.Table.from_pylist([row])
    whole = stream_of(table)
    yield _plain("Arrow: empty", b"", 400, headers=arrow)
    yield _plain("Arrow: not Arrow", b"PAR1" * 10, 400, headers=arrow)
    yield _plain("Arrow: a schema cut off", whole[:40], 400, headers=arrow)
    yield _plain("Arrow: a batch cut off", whole[: len(whole) * 3 // 4], 400, headers=arrow)
    yield _plain("Arrow: no rows", stream_of(table.slice(0, 0)), 422, headers=arrow)
    yield _plain("Arrow: packed buffers", stream_of(table, compression="zstd"), 415, headers=arrow)
    yield _plain("Arrow: a missing column", stream_of(table.drop_columns([number])), 422, headers=arrow)
    for name, values in {
        "texts": pa.array(["1.5"]), "truth values": pa.array([True]), "lists": pa.array([[1.5]]),
        "structs": pa.array([{"a": 1}]), "times": pa.array([0], pa.timestamp("us")), "bytes": pa.array([b"1"]),
    }.items():  # fmt: skip
        wrong = table.set_column(table.column_names.index(number), number, values)
        yield _plain(f"Arrow: {name} for a number", stream_of(wrong), 422, headers=arrow)
    twice = pa.Table.from_arrays([*table.columns, pa.array([1.0])], [*table.column_names, number])
    yield _plain("Arrow: a column twice", stream_of(twice), 422, headers=arrow)
    endless = pa.RecordBatch.from_arrays([pa.nulls(1_000_000)], [number])
    yield _plain("Arrow: a million rows of nothing", stream_of(endless), 413, headers=arrow)


def stream_of(table: Any, compression: str | None = None) -> bytes:
    """A pyarrow table or record batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()
