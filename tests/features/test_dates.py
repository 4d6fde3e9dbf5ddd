from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.features import CalendarTransform

PARTS = ("year", "month", "day_of_year", "weekday", "hour")
STAMPS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))


@given(st.lists(st.none() | STAMPS, min_size=1, max_size=20))
def test_parts_are_pythons(stamps):
    found = CalendarTransform(column="t", parts=PARTS, cyclic=False).transform(pa.array(stamps, pa.timestamp("us")))
    wanted = [
        [np.nan] * 5
        if at is None
        else [at.year, at.month, at.timetuple().tm_yday, at.weekday(), at.hour + at.minute / 60]
        for at in stamps
    ]
    np.testing.assert_array_equal(found, np.array(wanted, np.float32))


@given(st.lists(st.none() | STAMPS, min_size=1, max_size=20))
def test_circles_tell_the_parts(stamps):
    transform = CalendarTransform(column="t", parts=PARTS[1:], cyclic=True)
    found = transform.transform(pa.array(stamps, pa.timestamp("us")))
    for at, row in zip(stamps, found.astype(float), strict=True):
        if at is None:
            assert (row == 0).all()
            continue
        steps = np.arctan2(row[::2], row[1::2]) % (2 * np.pi) / (2 * np.pi) * [12, 366, 7, 1440] + 1e-3
        wanted = [at.month - 1, at.timetuple().tm_yday - 1, at.weekday(), at.hour * 60 + at.minute]
        assert np.floor(steps).tolist() == wanted


def test_a_year_is_scaled_and_0_where_it_is_missing():
    transform = CalendarTransform(
        column="t", parts=("year",), cyclic=True, year_center=2020, year_scale=2.0, indicator=True
    )
    stamps = pa.array([datetime(2024, 5, 1), None], pa.timestamp("us"))
    assert transform.transform(stamps).tolist() == [[2, 0], [0, 1]]
    assert transform.names == ("t_year", "t_missing")


def test_names():
    circles = CalendarTransform(column="t", parts=("hour", "year"), cyclic=True)
    assert circles.names == ("t_hour_sin", "t_hour_cos", "t_year")
    assert CalendarTransform(column="t", parts=("hour", "year"), cyclic=False).names == ("t_hour", "t_year")


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_any_unit_of_time(unit):
    stamps = pa.array([datetime(2024, 2, 29, 23, 59, tzinfo=UTC).replace(tzinfo=None)], pa.timestamp(unit))
    found = CalendarTransform(column="t", parts=PARTS, cyclic=False).transform(stamps)
    assert found.tolist() == [[2024, 2, 60, 3, np.float32(23 + 59 / 60)]]
