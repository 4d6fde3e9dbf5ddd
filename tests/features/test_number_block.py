"""Many columns of numbers at once come out as each transform makes them by itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.features.number_block import NumberBlock
from distml.features.numeric import NumericTransform
from distml.features.plain import Unusual
from distml.scaling import LinearScale, LogScale, QuantileScale

ANYWHERE = (-math.inf, math.inf)
STEPS = np.array([-3.0, -1.0, -0.0, 0.0, 0.0, 0.5, 2.0, 1e9])
SCALES = st.sampled_from(
    [
        None,
        LinearScale(center=0.0, scale=1.0),
        LinearScale(center=2.5, scale=0.3),
        LogScale(center=0.0, scale=2.0),
        QuantileScale.from_sample(STEPS),
        QuantileScale.from_sample(np.linspace(-2, 2, 1500) ** 3),
        QuantileScale(values=(0.0, 1.0), scores=(-1.0, 1.0)),
    ]
)
BOUNDS = st.sampled_from([None, -2.0, -0.0, 0.0, 0.5])
TRANSFORMS = st.lists(
    st.builds(
        lambda fill, low, high, scaling, indicator: NumericTransform(
            column="", fill=fill, low=low, high=high, scaling=scaling, indicator=indicator
        ),
        st.sampled_from([None, 0.0, -0.0, 1.5]), BOUNDS, BOUNDS, SCALES, st.booleans(),
    ),
    min_size=1, max_size=6,
)  # fmt: skip
VALUES = st.one_of(
    st.none(), st.sampled_from([0.0, -0.0, -1.0, 0.5, 1e308, 5e-324]), st.floats(-4, 4),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip


def named(transforms: list[NumericTransform]) -> list[NumericTransform]:
    return [
        NumericTransform(column=f"c{i}", fill=t.fill, low=t.low, high=t.high, scaling=t.scaling, indicator=t.indicator)
        for i, t in enumerate(transforms)
    ]


def block_of(transforms: list[NumericTransform], ends: tuple[float, float] = ANYWHERE) -> NumberBlock:
    ends_of_widths = np.cumsum([t.width for t in transforms])
    places = [int(end) - t.width for end, t in zip(ends_of_widths, transforms, strict=True)]
    return NumberBlock(transforms, places, [ends] * len(transforms))


@given(TRANSFORMS, st.data())
def test_every_number_is_what_its_own_transform_makes_of_it(transforms, data):
    transforms = named(transforms)
    row = st.fixed_dictionaries({t.column: VALUES for t in transforms})
    rows: list[dict[str, Any]] = data.draw(st.lists(row, min_size=1, max_size=5))
    width = sum(t.width for t in transforms)
    found, wanted = np.empty((len(rows), width), np.float32), np.empty((len(rows), width), np.float32)
    block = block_of(transforms)
    at = 0
    with np.errstate(all="ignore"):
        block.write(block.read(rows), found)
        for t in transforms:
            values = t.read_few([record[t.column] for record in rows])
            t.write(values, wanted[:, at : at + t.width])
            at += t.width
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, -(2**60), 10**400, "1", True, [1.0], 7.5, -1])
@pytest.mark.parametrize("beside", [[], [{"a": None, "b": 0.5}]])
def test_a_number_that_cleaning_must_see_is_unusual(value, beside):
    transforms = [NumericTransform(column="a", fill=0.0), NumericTransform(column="b", fill=0.0)]
    block = block_of(transforms, ends=(0.0, 7.0))
    assert block.read([*beside, {"a": 7, "b": 0.0}]).shape == (len(beside) + 1, 2)
    with pytest.raises(Unusual):
        block.read([*beside, {"a": value, "b": 0.5}])


def test_whole_numbers_are_numbers():
    block = block_of([NumericTransform(column="a"), NumericTransform(column="b")])
    assert block.read([{"a": 3, "b": 2**53 - 1}, {"a": -0.5, "b": -4}]).tolist() == [[3.0, 2.0**53 - 1], [-0.5, -4.0]]


def test_one_column_is_enough():
    block = block_of([NumericTransform(column="a")])
    values = block.read([{"a": 1, "b": "x"}, {"a": None, "b": 2}])
    assert values[0].tolist() == [1.0] and math.isnan(values[1, 0])
