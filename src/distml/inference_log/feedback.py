"""Labels that came later, as segments of kind `feedback`: one row for each, by the request and the row in it.

The same row may be labelled again, because its truth was corrected or because a client that got no answer has asked
once more. Both are kept; the later one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from distml.clean import as_text
from distml.inference_log.segments import Segments
from distml.storage import Storage

FEEDBACK = "feedback"
_KEY = ["request_id", "row"]


def feedback_table(
    *, request_ids: Sequence[str], rows: Sequence[int], labels: Sequence[str | float],
    versions: Sequence[int | None], received_at: Sequence[datetime], replica: str,
) -> Any:  # fmt: skip
    """A segment's pyarrow table: request_id, row (in the request, from 0), label, version (asked; null where it isn't
    known), received_at (UTC), replica. Labels are float64 where all are numbers, else texts."""
    import pyarrow as pa

    is_number = all(isinstance(label, float) for label in labels)
    texts = labels if is_number else [as_text(label) for label in labels]
    columns = {
        "request_id": pa.array(request_ids, pa.string()),
        "row": pa.array(rows, pa.int64()),
        "label": pa.array(texts, pa.float64() if is_number else pa.string()),
        "version": pa.array(versions, pa.int64()),
        "received_at": pa.array(received_at, pa.timestamp("us", tz="UTC")),
        "replica": pa.array([replica] * len(labels), pa.string()),
    }
    return pa.table(columns)


def read_feedback(storage: Storage, name: str, since: datetime | None = None) -> Any:
    """The labels that a model was told from a moment on (None: all), as `feedback_table` has them.

    Of several labels for the same row of a request the last counts. In the order of request_id and row. Where some
    are numbers and some texts, as after a change of task, all are texts. Raises `StorageError` for a damaged segment.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    since = None if since is None else since.astimezone(UTC)
    segments = Segments(storage=storage, name=name, kind=FEEDBACK)
    tables = [segments.read(segment) for segment in segments.names(since)]
    if not tables:
        return feedback_table(request_ids=[], rows=[], labels=[], versions=[], received_at=[], replica="")
    table = pa.concat_tables(_of_one_type(tables)).replace_schema_metadata(None)
    if since is not None:
        table = table.filter(pc.greater_equal(table["received_at"], pa.scalar(since, table["received_at"].type)))
    return _last_of_each(table)


def _of_one_type(tables: list[Any]) -> list[Any]:
    import pyarrow as pa

    if len({table.schema.field("label").type for table in tables}) == 1:
        return tables
    place = tables[0].column_names.index("label")
    texts = [pa.array(map(as_text, table["label"].to_pylist()), pa.string()) for table in tables]
    return [table.set_column(place, "label", label) for table, label in zip(tables, texts, strict=True)]


def _last_of_each(table: Any) -> Any:
    """Of the rows with one key the last by `received_at`, then by their place among and in the segments."""
    import numpy as np
    import pyarrow as pa

    place = pa.array(np.arange(table.num_rows))
    ordered = table.append_column("place", place).sort_by([("received_at", "ascending"), ("place", "ascending")])
    ordered = ordered.set_column(ordered.num_columns - 1, "place", place)
    last = ordered.select([*_KEY, "place"]).group_by(_KEY).aggregate([("place", "max")])["place_max"]
    return ordered.take(last).drop_columns(["place"]).sort_by([(key, "ascending") for key in _KEY])
