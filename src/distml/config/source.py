"""The section `data.source`: one table and how to read it."""

from __future__ import annotations

import codecs
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from distml.config.base import Names, Section


def written_like(source: Any, table: dict[str, Any]) -> dict[str, Any]:
    """A table's keys, and those of the source's dialect that it doesn't say otherwise."""
    if not isinstance(source, dict):
        return table
    return {**{key: item for key, item in source.items() if key not in ("uri", "format")}, **table}


class SourceConfig(Section):
    """One table and how to read it."""

    uri: str = Field(description="file, glob or folder (csv, tsv, parquet; .gz), or sklearn:NAME for a bundled table")
    format: Literal["auto", "csv", "parquet", "sklearn"] = Field("auto", description="auto: by the name's ending")
    missing: Names = Field(("",), description="texts that mean a missing value, compared after stripping")
    header: bool = Field(True, description="whether the first line of a text file names the columns")
    columns: Names | None = Field(None, description="column names of a text file without a header")
    delimiter: str | None = Field(None, description="one character; null: comma, or tab for .tsv", max_length=1)
    comment: str | None = Field(None, description="lines that start with this text are skipped and counted")
    encoding: str = Field("utf-8", description="encoding of a text file")

    @field_validator("missing")
    @classmethod
    def _empty_is_missing(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return value if "" in value else ("", *value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError as error:
            raise ValueError("an encoding is one that Python knows, such as utf-8 or latin-1") from error
        return value

    @model_validator(mode="after")
    def _bundled_by_name(self) -> SourceConfig:
        if self.format == "sklearn" and not self.uri.startswith("sklearn:"):
            raise ValueError("a bundled table's `uri` is sklearn:NAME")
        return self

    @model_validator(mode="after")
    def _columns_without_header(self) -> SourceConfig:
        if not self.header and not self.columns:
            raise ValueError("a table without a header line needs `columns`, the name of each column in order")
        return self
