"""First rows as a schema is inferred from them."""

from __future__ import annotations

import pyarrow as pa

from distml.clean.tidy import tidied
from distml.config import CleanConfig, SourceConfig


def test_texts_are_stripped_tokens_nulled_and_values_replaced():
    table = pa.table({"a": [" x", "?", "y"], "b": [1, 99, 3]})
    source = SourceConfig(uri="t.csv", missing=("?",))
    found = tidied(table, source, CleanConfig(replace={"a": {"y": "z"}, "b": {99: None}}))
    assert found.to_pydict() == {"a": ["x", None, "z"], "b": [1, None, 3]}


def test_nothing_is_stripped_where_that_is_off():
    table = pa.table({"a": [" x"]})
    assert tidied(table, SourceConfig(uri="t.csv"), CleanConfig(strip=False)).equals(table)
