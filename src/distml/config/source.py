"""The section `data.source`: one table and how to read it."""

from __future__ import annotations

import codecs
import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from distml.config.base import Names, Section
from distml.secrets import VARIABLE


def written_like(source: Any, table: dict[str, Any]) -> dict[str, Any]:
    """A table's keys, and those of the source's dialect that it doesn't say otherwise."""
    if not isinstance(source, dict):
        return table
    return {**{key: item for key, item in source.items() if key not in _OF_ONE_TABLE}, **table}


_OF_ONE_TABLE = ("uri", "format", "query", "partition", "version", "labels")  # not how it is written, but which it is


class PartitionConfig(Section):
    """How a query's rows are shared out among workers."""

    column: str = Field(description="a column of the query that can be ordered, best one with an index")
    num: int = Field(8, ge=1, le=10_000, description="parts of about as many rows each")


class SourceConfig(Section):
    """One table and how to read it."""

    uri: str = Field(
        description="file, glob or folder, also on s3:// or gs:// (csv, tsv, parquet, jsonl, json, arrow, feather; "
        "texts .gz, .bz2 or .zst too; MNIST's idx), a folder of images, sql: and a database's URL, or sklearn:NAME for "
        "a bundled table"
    )
    format: Literal["auto", "csv", "parquet", "json", "arrow", "idx", "images", "sklearn"] = Field(
        "auto", description="auto: by the name's ending; a folder of images is told: images"
    )
    missing: Names = Field(("",), description="texts that mean a missing value, compared after stripping")
    header: bool = Field(True, description="whether the first line of a text file names the columns")
    columns: Names | None = Field(
        None, description="column names of a text file, in the place of its header's where it has one"
    )
    delimiter: str | None = Field(
        None, description="one character, or `whitespace` for runs of spaces and tabs; null: comma, or tab for .tsv"
    )
    comment: str | None = Field(None, description="lines that start with this text are skipped and counted")
    encoding: str = Field("utf-8", description="encoding of a text file")
    quote: str | None = Field('"', description="one character around values that hold others; null: none", max_length=1)
    escape: str | None = Field(None, description="one character before a sign that is meant as such", max_length=1)
    decimal: Literal[".", ","] = Field(".", description="what a text file writes before a number's fraction")
    thousands: Literal[",", ".", "'", " ", "_"] | None = Field(
        None, description="what a text file writes between a number's thousands"
    )
    ragged: Literal["fail", "pad", "drop", "quarantine"] = Field(
        "fail",
        description="lines of another number of values than the others; pad: missing values at the end, and surplus "
        "ones cut off where they are empty",
    )
    undecodable: Literal["fail", "replace", "drop", "quarantine"] = Field(
        "fail", description="lines with bytes that the encoding doesn't have, or null bytes; replace: by U+FFFD"
    )
    hive: bool | None = Field(
        None, description="whether folders named key=value are columns; null: where all files lie in such"
    )
    schema_changes: Literal["fail", "align"] = Field(
        "fail",
        description="columns that not all files have, or as another type; align: those that most have, of types that "
        "hold all values, missing where absent",
    )
    rename: dict[str, str] = Field({}, description="columns' names in the table, by those in the files")
    query: str | None = Field(None, description="the SELECT whose rows are the table, where uri is a database's")
    partition: PartitionConfig | None = Field(None, description="parts of a query read at once; null: one")
    version: str | None = Field(
        None, description="what a query's rows are known by: changed by you when they do; null: by their content"
    )
    labels: str | None = Field(
        None, description="idx: the file of labels; images: a table of files (`path`) and labels; null: folders' names"
    )

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

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and len(value) > 1 and value != "whitespace":
            raise ValueError("a delimiter is one character, or whitespace")
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _none_is_null(cls, value: str | None) -> str | None:
        return value or None

    @model_validator(mode="after")
    def _signs_differ(self) -> SourceConfig:
        delimiter = " " if self.delimiter == "whitespace" else self.delimiter
        signs = [sign for sign in (delimiter, self.quote, self.escape) if sign]
        if len(set(signs)) < len(signs):
            raise ValueError("delimiter, quote and escape are different characters")
        if self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are different characters")
        if not all(sign.isascii() for sign in signs):
            raise ValueError("delimiter, quote and escape are ASCII characters")
        return self

    @model_validator(mode="after")
    def _query_of_a_database(self) -> SourceConfig:
        if self.uri.startswith("sql:") and self.query is None:
            raise ValueError("a table in a database needs `query`, the SELECT that gives its rows")
        for key in ("query", "partition", "version"):
            if getattr(self, key) is not None and not self.uri.startswith("sql:"):
                raise ValueError(f"`{key}` belongs to a table in a database, whose `uri` is sql: and its URL")
        *_, password = VARIABLE.sub("", "".join(re.findall("//(.*)@", self.uri))).partition(":")
        if self.uri.startswith("sql:") and password:
            # Every error that says what was read would say the password too.
            raise ValueError("a database's password is the name of a variable: //user:${PASSWORD}@host")
        if self.uri.startswith("sql:") and self.rename:
            raise ValueError("a query names its columns itself, with AS, so that `rename` has no place beside it")
        return self

    @model_validator(mode="after")
    def _labels_of_images(self) -> SourceConfig:
        has_images = self.format in ("auto", "idx", "images") and not self.uri.startswith(("sql:", "sklearn:"))
        if self.labels is not None and not has_images:
            raise ValueError("`labels` belongs to images: an idx file, or a folder with format: images")
        return self

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
