"""Tables handed in from Python, kept once in storage under the hash of what they hold, and read like any file.

So a run of such a table is resumed, retrained and carried out on a cluster like any other, and its stages are taken up
when the same rows come again, in whatever order and from whatever library.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np

from distml.config import RunConfig, SourceConfig
from distml.errors import DataError, DistmlError
from distml.hashing import row_hashes
from distml.ipc import from_ipc, to_ipc
from distml.reading.frames import as_table
from distml.storage import Storage, content_hash

FOLDER = "tables"
RESULT = "_table.json"  # written last; no file of the table, as its name says
_FILE_BYTES = 128 << 20
_BATCH_ROWS = 1 << 17


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A file of the table, and what its rows add to what the table is known by."""

    key: str
    schema: Any  # pyarrow's
    num_rows: int
    hashes: int
    nulls: tuple[int, ...]


def keep(data: Any, storage: Storage, like: SourceConfig | None = None) -> SourceConfig:
    """The source that a table is read from from now on; `like` says which texts mean a missing value.

    data: a pandas DataFrame, a pyarrow Table or a Ray Dataset, whose blocks are written where they are. Raises
    `DataError` as `frames.as_table` does, and for blocks of different columns.
    """
    scratch = f"{FOLDER}/.tmp-{uuid4().hex}"
    try:
        write = _write_dataset if is_dataset(data) else _write
        pieces = write(data, storage, scratch)
        schema = _common(pieces)
        key = f"{FOLDER}/{_known_by(pieces, schema)}"
        if not storage.exists(f"{key}/{RESULT}"):
            _publish(storage, pieces, schema, scratch, key)
    finally:
        storage.delete(scratch)
    missing = ("",) if like is None else like.missing
    return SourceConfig(uri=storage.uri(key), format="arrow", missing=missing)


def with_tables(config: RunConfig, data: Any, test: Any = None) -> RunConfig:
    """The config whose source, and test table if one is given, are tables of Python, kept in its storage.

    A test table that the config names stays, unless one is given. Raises `DataError` as `keep` does.
    """
    storage = Storage(config.storage)
    tables = {"source": keep(data, storage, config.data.source)}
    if test is not None:
        tables["test"] = keep(test, storage, config.data.test or config.data.source)
    return config.model_copy(update={"data": config.data.model_copy(update=tables)})


def is_dataset(data: Any) -> bool:
    """Whether this is a Ray Dataset, told without importing Ray."""
    return any(kind.__module__.startswith("ray.data.") and kind.__name__ == "Dataset" for kind in type(data).__mro__)


def _write(data: Any, storage: Storage, scratch: str) -> list[Piece]:
    table = as_table(data)
    num_files = 1 + table.nbytes // _FILE_BYTES
    step = max(1, -(-table.num_rows // num_files))
    starts = range(0, max(1, table.num_rows), step)
    return [_write_piece(table.slice(start, step), storage, scratch) for start in starts]


def _write_dataset(dataset: Any, storage: Storage, scratch: str) -> list[Piece]:
    """Each block written by the worker that has it; nothing but what it is known by comes here."""
    import pyarrow as pa

    def write(block: Any) -> Any:
        try:
            piece = _write_piece(as_table(block), storage, scratch)
        except DistmlError as error:  # raised, it would come as the text of Ray's frames
            return {"told": [pickle.dumps(error)]}
        return {"told": [pickle.dumps(piece)]}

    rows = dataset.map_batches(write, batch_format="pyarrow", batch_size=None).take_all()
    found = [pickle.loads(row["told"]) for row in rows]
    for item in found:
        if isinstance(item, DistmlError):
            raise item
    # A task whose worker died was done again, under another name: what it left isn't among these.
    return found or [_write_piece(pa.table({}), storage, scratch)]


def _write_piece(table: Any, storage: Storage, scratch: str) -> Piece:
    table = table.combine_chunks().unify_dictionaries()
    key = f"{scratch}/{uuid4().hex}.arrow"
    storage.write_bytes(key, to_ipc(table, _BATCH_ROWS))
    return Piece(
        key=key, schema=table.schema.remove_metadata(), num_rows=table.num_rows,
        hashes=int(row_hashes(table).sum(dtype=np.uint64)),
        nulls=tuple(column.null_count for column in table.columns),
    )  # fmt: skip


def _common(pieces: Sequence[Piece]) -> Any:
    """The schema of all pieces: a column that is null throughout one has the type of the others."""
    import pyarrow as pa

    schemas = [piece.schema for piece in pieces if piece.num_rows] or [pieces[0].schema]
    first = schemas[0]
    for schema in schemas:
        if schema.names != first.names:
            odd = sorted(set(schema.names) ^ set(first.names)) or schema.names
            raise DataError(
                "the blocks of a Ray Dataset have the same columns",
                received=f"not in all of them: {', '.join(odd)}",
                where="data",
                remedy="select the same columns in the same order before",
            )
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            "a column of a Ray Dataset is of one type in all blocks",
            received=str(error).splitlines()[0],
            where="data",
            remedy="cast it before",
        ) from None


def _known_by(pieces: Sequence[Piece], schema: Any) -> str:
    """The hash of a table's content: the same in whatever order its rows come, and in whatever pieces."""
    num_rows = sum(piece.num_rows for piece in pieces)
    hashes = sum(piece.hashes for piece in pieces) % 2**64
    nulls = [sum(counts) for counts in zip(*(piece.nulls for piece in pieces if piece.num_rows), strict=True)]
    return content_hash(1, [[field.name, str(field.type)] for field in schema], num_rows, str(hashes), nulls)


def _publish(storage: Storage, pieces: Sequence[Piece], schema: Any, scratch: str, key: str) -> None:
    """Shows the table whole: a folder of what it is made of, and of nothing that somebody left there before."""
    kept = [piece for piece in pieces if piece.num_rows] or pieces[:1]
    names = [f"rows-{number:05d}.arrow" for number in range(len(kept))]
    whole = f"{scratch}/whole"
    storage.make_folder(whole)
    for name, piece in zip(names, kept, strict=True):
        if piece.schema.equals(schema):
            storage.rename(piece.key, f"{whole}/{name}")
        else:
            storage.write_bytes(
                f"{whole}/{name}", to_ipc(from_ipc(storage.read_bytes(piece.key)).cast(schema), _BATCH_ROWS)
            )
    storage.write_json(f"{whole}/{RESULT}", {"num_rows": sum(piece.num_rows for piece in kept), "num_files": len(kept)})
    if storage.is_local:
        storage.rename(whole, key)
        return
    storage.delete(key)
    for name in (*names, RESULT):  # an object store has no folders to rename
        storage.rename(f"{whole}/{name}", f"{key}/{name}")
