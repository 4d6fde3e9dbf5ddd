"""Arrow IPC streams, on `/predict`: a table of raw columns in, without a copy of its numbers, and one of answers out.

Bytes from outside are checked before they are trusted: how many rows they say they have, that nothing in them is
packed, and that every offset and code lies within its buffer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.format import Answered, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.predict import label_text
from distml.serve.wire.problem import Problem, Reply
from distml.serve.wire.rows import check_count, rows_of_table

ARROW = "application/vnd.apache.arrow.stream"


class Arrow:
    """An answer has `prediction`, and for classes `probability_<label>` for each of them, float64."""

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        return rows_of_table(_table(body, limits), schema)

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        import pyarrow as pa

        columns: dict[str, Any] = {"prediction": pa.array(prediction.values.tolist())}
        if prediction.labels is not None and prediction.probabilities is not None:
            for label, shares in zip(prediction.labels, prediction.probabilities.T, strict=True):
                columns[f"probability_{label_text(label)}"] = pa.array(shares, pa.float64())
        table = pa.table(columns, metadata={
            "model": answered.name, "version": str(answered.version), "request_id": answered.request_id
        })  # fmt: skip
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return Reply(200, sink.getvalue().to_pybytes(), ARROW, answered.headers)


def _table(body: bytes, limits: Limits) -> Any:
    import pyarrow as pa

    try:
        _check_unpacked(body)
        batches = []
        num_rows = 0
        with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
            for batch in reader:
                num_rows += batch.num_rows
                check_count(max(1, num_rows), limits)  # before a column of nothing is looked at row by row
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
            table.schema.names  # noqa: B018 - which raises where one isn't UTF-8
    except (pa.ArrowException, OSError, ValueError, struct.error, UnicodeDecodeError, KeyError, TypeError) as error:
        told = " ".join(str(error).split())[:200] if isinstance(error, (pa.ArrowInvalid, OSError)) else "damaged"
        raise Problem(400, "invalid-arrow", f"the body is not an Arrow IPC stream: {told}") from None
    check_count(table.num_rows, limits)
    return table


def _check_unpacked(body: bytes) -> None:
    """Refuses buffers packed within the stream, which could unpack to any size."""
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(pa.BufferReader(body)):
        if message.type in ("record batch", "dictionary") and _is_packed(message):
            raise Problem(
                415, "unsupported-encoding",
                "an Arrow stream's buffers are not packed within it; send them plain, or the whole body by gzip",
            )  # fmt: skip


def _is_packed(message: Any) -> bool:
    """Whether a message's record batch says how its buffers are packed: field 3 of RecordBatch in Message.fbs."""
    data = message.metadata.to_pybytes()
    batch = _inner(data, _field(data, _inner(data, 0), 2))  # Message.header
    if message.type == "dictionary":
        batch = _inner(data, _field(data, batch, 1))  # DictionaryBatch.data
    return _field(data, batch, 3) != 0


def _inner(data: bytes, place: int) -> int:
    """Where the table lies that a flatbuffer's offset at a place points to."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a flatbuffer's table has a field, 0 where it hasn't."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    (size,) = struct.unpack_from("<H", data, vtable)
    if 4 + 2 * number >= size:
        return 0
    offset = int(struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0])
    return table + offset if offset else 0
