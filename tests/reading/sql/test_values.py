from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.reading.sql.values import joined, to_arrow

EAST = timezone(timedelta(hours=2))
AT_ONE = datetime(2024, 1, 2, 1, tzinfo=UTC)
STAMPS = pa.timestamp("us")


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ((1, None, 3), pa.int64(), None),
        ((1, 2.5), pa.float64(), None),
        ((True, None), pa.bool_(), None),
        (("a", "", None), pa.string(), None),
        ((None, None), pa.null(), None),
        ((), pa.null(), None),
        ((Decimal("1.50"), None, 2), pa.float64(), [1.5, None, 2.0]),
        ((Decimal("NaN"), Decimal("1")), pa.float64(), [None, 1.0]),
        ((2**64, 1), pa.float64(), [2.0**64, 1.0]),
        ((2**60 + 1, 0.5), pa.float64(), [2.0**60, 0.5]),
        ((date(2024, 1, 2), None), pa.date32(), None),
        ((time(1, 2), None), pa.time64("us"), None),
        ((timedelta(days=1), None), pa.duration("us"), None),
        ((b"\x00a", None), pa.binary(), None),
        ((datetime(2024, 1, 2, 3), None), STAMPS, None),
        ((None, datetime(2024, 1, 2, 3, tzinfo=EAST)), pa.timestamp("us", "UTC"), [None, AT_ONE]),
        ((UUID(int=1), None), pa.string(), ["00000000-0000-0000-0000-000000000001", None]),
        (({"b": [1], "a": "ü"}, None), pa.string(), ['{"a": "ü", "b": [1]}', None]),
        (([1, None], ["x"]), pa.string(), ["[1, null]", '["x"]']),
        ((1, "x", 2.5, 3.0, None), pa.string(), ["1", "x", "2.5", "3", None]),
        ((date(2024, 1, 2), datetime(2024, 1, 2, 3)), pa.string(), ["2024-01-02", "2024-01-02 03:00:00"]),
        ((True, 2), pa.string(), ["true", "2"]),
    ],
)  # fmt: skip
def test_a_column_of_python_values(values, kind, expected):
    column = to_arrow(["x"], [(value,) for value in values]).column("x")
    assert column.type == kind
    assert column.to_pylist() == (list(values) if expected is None else expected)


@pytest.mark.parametrize("values", [(1 + 2j,), (b"a", "a"), ({"a": 1}, "a"), (range(3),)])
def test_other_types_are_refused_by_name(values):
    with pytest.raises(DataError, match=r"received .*(complex|bytes|dict|range).* in column x.* cast it to text"):
        to_arrow(["x"], [(value,) for value in values])


def test_blocks_of_several_types_are_joined():
    blocks = [to_arrow(["a", "b", "c"], [row]) for row in [(None, 1, 1), (1, 2.5, "x"), (2.5, None, 3.0)]]
    assert joined(blocks).to_pydict() == {"a": [None, 1.0, 2.5], "b": [1.0, 2.5, None], "c": ["1", "x", "3"]}
