"""A pyarrow table as the bytes of an Arrow IPC file, and back."""

from __future__ import annotations

from typing import Any


def to_ipc(table: Any, max_rows: int | None = None) -> bytes:
    """The bytes of a file, compressed, in record batches of at most `max_rows` (None: as the table has them)."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table, max_chunksize=max_rows)
    return sink.getvalue().to_pybytes()


def from_ipc(content: bytes) -> Any:
    """The table that a file's bytes hold."""
    import pyarrow as pa

    return pa.ipc.open_file(pa.BufferReader(content)).read_all()
