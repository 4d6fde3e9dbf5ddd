"""What the columns of a table are: names, kinds, roles.

A `Schema` is inferred from a table's first rows or read from JSON. It says what a value must be; repairing values
is `distml.clean`, statistics are `distml.summary`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from distml.code import CodeRef
from distml.config.base import Kind
from distml.config.data import DataConfig
from distml.config.image import ImageConfig
from distml.errors import DataError, did_you_mean
from distml.images import Shape, common_shape, is_encoded, is_tensor, tensor_type

Role = Literal["feature", "target", "id", "time", "weight", "split", "excluded"]
Dtype = Literal["integer", "number", "string", "boolean", "datetime", "image"]
RESERVED = ("__row__", "__place__")  # a row's hash and its number in its file, beside the table's own columns


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `dtype` is what its values were in the table, `kind` what they mean to a model.

    derived: where no table has it, the expression that makes it, or the function as module:attribute; uses: the
    columns that it is made from; code: what that function was. optional: whether training rows had it missing, so that
    a request may leave it out.
    """

    name: str
    kind: Kind
    dtype: Dtype
    role: Role = "feature"
    group: bool = False
    private: bool = False
    shape: Shape | None = None  # of an image: h, w, ch
    resize: bool = False  # whether images of another size are brought to this one
    derived: str | None = None
    uses: tuple[str, ...] = ()
    code: CodeRef | None = None
    optional: bool = False

    @property
    def arrow_type(self) -> Any:
        """The type that cleaned values of this column have."""
        import pyarrow as pa

        if self.shape is not None:
            return tensor_type(self.shape)
        return {"numeric": pa.float64(), "datetime": pa.timestamp("us")}.get(self.kind, pa.string())


@dataclass(frozen=True)
class Schema:
    """Columns in the order of the table that they were inferred from."""

    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def of_role(self, *roles: Role) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role in roles)

    @property
    def features(self) -> tuple[Column, ...]:
        return self.of_role("feature")

    @property
    def derived(self) -> tuple[Column, ...]:
        """Columns made from others, each after those that it is made from."""
        return tuple(column for column in self.columns if column.derived is not None)

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """What a row has to be predicted: features that aren't derived, and what derived ones are made from."""
        return self.read_for("feature")

    @cached_property
    def input_names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.inputs)

    @cached_property
    def optional_names(self) -> frozenset[str]:
        """Inputs that a request may leave out."""
        return frozenset(column.name for column in self.inputs if column.optional)

    def with_optional(self, names: Collection[str]) -> Schema:
        """The schema whose optional inputs are those named."""
        return Schema(tuple(replace(column, optional=column.name in names) for column in self.columns))

    def read_for(self, *roles: Role) -> tuple[Column, ...]:
        """The table's own columns of some roles, and those that derived columns of these roles are made from."""
        used = {name for column in self.derived if column.role in roles for name in column.uses}
        return tuple(c for c in self.columns if c.derived is None and (c.role in roles or c.name in used))

    @property
    def target(self) -> Column:
        (column,) = self.of_role("target")
        return column

    @property
    def kept(self) -> tuple[Column, ...]:
        """Every column but the excluded ones."""
        return tuple(column for column in self.columns if column.role != "excluded")

    def to_dict(self) -> dict[str, Any]:
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Schema:
        return cls(tuple(_column_from_dict(column) for column in value["columns"]))


def _column_from_dict(value: dict[str, Any]) -> Column:
    code, shape = value.get("code"), value.get("shape")
    restored = {
        "uses": tuple(value.get("uses", ())),
        "code": None if code is None else CodeRef(**code),
        "shape": None if shape is None else tuple(shape),
    }
    return Column(**{**value, **restored})


def infer_schema(head: Any, config: DataConfig, images: ImageConfig | None = None) -> Schema:
    """The schema of a pyarrow table's first rows, their texts already stripped and missing tokens nulled.

    Kinds: numbers are numeric, truth values boolean, ISO dates datetime, bytes and tensors of pixels images, brought
    to what `images` asks for, everything else categorical; `data.kinds` overrides. The target is categorical for
    classification and numeric for regression; with `task: auto` a text or boolean target, or a whole-number one of at
    most 20 distinct values, is classification.

    Raises `DataError` when the table is empty or a column that the config names isn't there.
    """
    if head.num_rows == 0:
        raise DataError("a table has at least one row", received="0 rows", where=config.source.uri)
    names = list(head.column_names)
    _check_names(names, config)
    inferred = (_infer_column(name, head.column(name), config, images or ImageConfig()) for name in names)
    columns = (_with_role(column, config) for column in inferred)
    schema = Schema(tuple(columns))
    if config.target in config.kinds:
        return schema
    kind: Kind = "numeric" if _task_of(schema.target, head, config) == "regression" else "categorical"
    return Schema(tuple(replace(c, kind=kind) if c.role == "target" else c for c in schema.columns))


def _check_names(names: Sequence[str], config: DataConfig) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            "a table's column names differ",
            received=f"{', '.join(repeated)} more than once",
            where=config.source.uri,
            remedy="rename them, or name all columns in data.source.columns, which a header then gives way to",
        )
    taken = [name for name in names if name in RESERVED and name not in config.exclude]
    if taken:
        raise DataError(
            f"{' and '.join(RESERVED)} are columns that preparation adds",
            received=f"a column {taken[0]}",
            where=config.source.uri,
            remedy=f"set data.source.rename: {{{taken[0]}: …}}, or data.exclude: [{taken[0]}]",
        )
    roles = config.roles
    wanted: dict[str, Iterable[str | None]] = {
        "data.target": [config.target],
        "data.roles": [*roles.id, roles.time, *roles.group, roles.weight, roles.split],
        "data.exclude": config.exclude,
        "data.kinds": config.kinds,
        "data.private": config.private,
    }
    for place, columns in wanted.items():
        for column in columns:
            if column is not None and column not in names:
                raise DataError(
                    f"{place} names a column of the table",
                    received=column,
                    where=config.source.uri,
                    remedy=_hint(column, names),
                )


def _hint(column: str, names: Sequence[str]) -> str:
    """What a name that isn't there may have been meant for; the delimiter, where all names came out as one."""
    found = [sign for sign in ";\t|" if len(names) == 1 and sign in names[0]]
    if found:
        return f"set data.source.delimiter: {found[0]!r}, by which its only column {names[0][:60]!r} falls into several"
    near = did_you_mean(column, list(names))
    if near:
        return f"did you mean {near!r}?"
    return f"its columns: {', '.join(names[:40])}"


def _infer_column(name: str, values: Any, config: DataConfig, images: ImageConfig) -> Column:
    if (is_encoded(values.type) or is_tensor(values.type)) and name not in config.exclude:
        return _image_column(name, values, config, images)
    dtype = _dtype(values)
    if dtype is None:
        if name not in config.exclude:
            raise DataError(
                "a column holds numbers, texts, truth values, dates or images",
                received=str(values.type),
                where=f"{config.source.uri}, column {name}",
                remedy="name it in data.exclude, or convert it",
            )
        dtype = "string"
    if config.kinds.get(name) == "image":
        raise DataError(
            "an image column holds encoded bytes (PNG, JPEG) or tensors of uint8 [h, w] or [h, w, ch]",
            received=str(values.type), where=f"{config.source.uri}, column {name}",
            remedy="convert it, or leave it out of data.kinds",
        )  # fmt: skip
    natural: Kind = {
        "integer": "numeric", "number": "numeric", "boolean": "boolean", "datetime": "datetime"
    }.get(dtype, "categorical")  # type: ignore[assignment]  # fmt: skip
    return Column(name=name, kind=config.kinds.get(name, natural), dtype=dtype)


def _image_column(name: str, values: Any, config: DataConfig, images: ImageConfig) -> Column:
    """An image column of the shape that the config asks for, else that of the first images."""
    where = f"{config.source.uri}, column {name}"
    if config.kinds.get(name, "image") != "image":
        raise DataError(
            "a column of bytes or pixels is of kind image", received=f"data.kinds: {config.kinds[name]}", where=where,
            remedy="leave it out of data.kinds, or name it in data.exclude",
        )  # fmt: skip
    shape = common_shape(values, images.size, images.channels, where)
    return Column(name=name, kind="image", dtype="image", shape=shape, resize=images.size is not None)


def _dtype(values: Any) -> Dtype | None:
    """The narrowest of integer, number, boolean, datetime and string that every value satisfies; None for none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_dictionary(kind):
        return "string"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = pc.cast(values, pa.float64(), safe=False)
        finite = numbers.filter(pc.is_finite(numbers))  # NaN is how many tools write a missing number
        whole = pc.all(pc.equal(finite, pc.floor(finite)), min_count=1).as_py()
        return "integer" if whole else "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "datetime"
    if pa.types.is_null(kind):
        return "string"
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    present = pc.drop_null(values)
    if len(present) == 0:
        return "string"
    if _casts(present, pa.float64()):  # asked first, because 0x1F is a number as an integer only
        return "integer" if _casts(present, pa.int64()) else "number"
    lowered = pc.utf8_lower(present)
    if pc.all(pc.is_in(lowered, pa.array(["true", "false"], kind))).as_py():
        return "boolean"
    zones = (None, "UTC")  # all without one, or all with one
    return "datetime" if any(_casts(present, pa.timestamp("us", tz=zone)) for zone in zones) else "string"


def _casts(values: Any, kind: Any) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for some in (values.slice(0, 100), values):  # what most columns of texts fail at is told by a few
            pc.cast(some, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _with_role(column: Column, config: DataConfig) -> Column:
    roles = config.roles
    role: Role = "feature"
    if column.name == config.target:
        role = "target"
    elif column.name in config.exclude:
        role = "excluded"
    elif column.name in roles.id:
        role = "id"
    elif column.name == roles.time:
        role = "time"
    elif column.name == roles.weight:
        role = "weight"
    elif column.name == roles.split:
        role = "split"
    if column.dtype == "image" and role != "excluded" and (role != "feature" or column.name in roles.group):
        raise DataError(
            "a column of images is a feature",
            received=f"{column.name} as {'group' if role == 'feature' else role}",
            where=config.source.uri,
            remedy="name another column",
        )
    kind: Kind = column.kind
    if role in ("id", "split"):
        kind = "categorical"
    elif role == "weight":
        kind = "numeric"
    return replace(
        column, role=role, kind=kind, group=column.name in roles.group, private=column.name in config.private
    )


def _task_of(target: Column, head: Any, config: DataConfig) -> str:
    if config.task != "auto":
        return config.task
    if target.dtype in ("string", "boolean"):
        return "classification"
    if target.dtype == "integer":
        import pyarrow.compute as pc

        distinct = pc.count_distinct(head.column(target.name), mode="only_valid").as_py()
        return "classification" if distinct <= 20 else "regression"
    return "regression"


def with_plain_texts(table: Any) -> Any:
    """A pyarrow table whose columns of codes are what the codes stand for."""
    import pyarrow as pa

    for i, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(i, column.name, table.column(i).cast(column.type.value_type))
    return table
