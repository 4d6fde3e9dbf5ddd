"""Signs in one column of what it is for."""

import numpy as np
import pyarrow as pa
import pytest

from distml.inspection import signs

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["a"] * 100, "has the value 'a' in every row"),
        ([None] * 100, "has no value at all"),
        ([1.5] * 97 + [2.0, 2.0, 2.0], "has the value 1.5 in all rows but 3"),
        ([1.5] * 95 + [2.0] * 5, None),
        (["a"] * 9 + ["b"], None),  # a tenth of a small table
        ([1.0] * 90 + [None] * 10, None),  # whether it is there may count
    ],
)
def test_constants(values, reason):
    assert signs.why_constant(pa.array(values)) == reason


@pytest.mark.parametrize(
    ("name", "numbers", "is_id"),
    [
        ("n", np.arange(1.0, 101), True),
        ("n", np.cumsum(RNG.integers(1, 1000, 100)).astype(float), True),  # counts up with gaps
        ("n", RNG.permutation(100).astype(float), True),  # each once where chance would repeat many
        ("n", RNG.permutation(10**7)[:100].astype(float), False),  # chance would repeat none
        ("customer_id", RNG.permutation(10**7)[:100].astype(float), True),
        ("customerId", RNG.permutation(10**7)[:100].astype(float), True),
        ("paid", RNG.permutation(10**7)[:100].astype(float), False),
        ("customer_id", np.append(RNG.permutation(10**7)[:100], RNG.permutation(10**7)[:1]).astype(float), True),
        ("customer_id", np.append(np.arange(100.0), 0), False),
        ("customer_id", np.append(np.arange(100.0), np.nan), False),
        ("n", np.arange(19.0), False),
    ],
)
def test_numbers_that_name_rows(name, numbers, is_id):
    assert (signs.why_id_number(name, numbers) is not None) is is_id


@pytest.mark.parametrize(
    ("name", "numbers", "is_clock"),
    [
        ("event_time", [1.7e9, 1.6e9], True),
        ("timestamp", [1.7e12, np.nan], True),
        ("createdDate", [1.7e9], True),
        ("lifetime", [1.7e9], False),
        ("event_time", [12.0, 13.0], False),
        ("event_time", [np.nan], False),
    ],
)
def test_clocks(name, numbers, is_clock):
    assert signs.is_clock(name, np.array(numbers)) is is_clock


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([f"u-{i}" for i in range(100)], ("no value comes twice", False)),
        ([f"u-{i}" for i in range(99)] + ["u-0", None], ("99 of 100 values differ", False)),
        ([f"u-{i}" for i in range(90)] + ["x"] * 10, None),
        ([f"u-{i}" for i in range(19)], None),
        (
            [f"the story number {i}" for i in range(100)],
            ("no value comes twice, about 4 words each: free text, read by its words where data.kinds says text", True),
        ),
    ],
)
def test_texts_that_hardly_repeat(texts, found):
    assert signs.why_text_id("x", pa.array(texts)) == found


@pytest.mark.parametrize(
    ("name", "texts", "reason"),
    [
        ("zip", ["01234", "90210"], "is written with zeros in front, as codes are"),
        ("x", ["0", "0.5", "10"], None),
        ("rate_code", ["1", "2", "3"] * 20, "is named like a code, and has 3 values"),
        ("VendorID", ["1", "2", "4", None] * 20, "is named like a code, and has 3 values"),
        ("flag_id", ["0", "1"] * 30, None),  # two values are the same either way
        ("rate_code", ["1", "2", "3"] * 19, None),  # too few rows of each
        ("rate", ["1", "2", "3"] * 20, None),
        ("barcode", ["1", "2", "3"] * 20, None),
    ],
)
def test_codes(name, texts, reason):
    numbers = np.array([np.nan if text is None else float(text) for text in texts])
    assert signs.why_code(name, numbers, pa.array(texts)) == reason


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["1,5", "2,25", None], "numbers with a decimal comma"),
        (["1,234,567", "1,000", "12"], "numbers with marks between thousands"),
        (["$1,200.50", "$3.99"], "amounts with a currency sign"),
        (["12%", "3.5 %"], "percentages"),
        (["31/12/2024", "1/2/2024 10:30"], "dates that aren't ISO 8601 (2024-01-31)"),
        (
            ["2024-01-31T10:00:00Z", "2024-01-31 10:00:00"],
            "times, not all of them with a time zone or in whole microseconds",
        ),
        (["1", "2.5"], None),
        (["a", "b"], None),
        ([None], None),
    ],
)
def test_odd_forms(texts, form):
    assert signs.odd_form(pa.array(texts, pa.string())) == form


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([-1.0] * 50 + list(range(50)), (-1.0, 50)),
        ([999.0] * 5 + list(range(50)), (999.0, 5)),
        ([-9999.0] * 5 + list(range(-50, 0)), (-9999.0, 5)),
        ([99999.0] * 5 + list(range(40000)), (99999.0, 5)),
        ([999.0] * 4 + list(range(50)), None),  # too few rows
        ([99.0] * 5 + list(range(99)), None),  # next to the others
        ([-1.0] * 5 + list(range(-50, 0)), None),
        ([-2.0] * 50 + list(range(50)), None),
        ([-1.0, 1.0] * 50, None),  # two values
        ([np.nan] * 5, None),
    ],
)
def test_numbers_that_may_stand_for_a_missing_one(numbers, found):
    assert signs.sentinel(np.array(numbers)) == found


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        (np.append(np.arange(1000.0), np.full(100, 1001.0)), (1001.0, 100)),
        (np.append(np.arange(1000.0), np.full(19, 1001.0)), None),
        (np.repeat(np.arange(40.0), 50), None),  # as many as anywhere
        (np.append(np.arange(20.0), np.full(100, 21.0)), None),  # few values
        (np.append(np.append(np.arange(1000.0), np.full(100, 1001.0)), np.nan), (1001.0, 100)),
    ],
)
def test_cut_off_values(numbers, found):
    assert signs.cap(numbers) == found


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["0.25"] * 99 + ["oops"], None),  # one bad word is no way of writing numbers
        (["2024-01-31"] * 99 + ["oops"], None),
        (["2024-01-31 10:00:00"] * 99 + ["oops"], None),
        (["12"] * 50 + ["1,200.5"] * 50, "numbers with marks between thousands"),
        (["0.25"] * 99 + ["1,200.5"], "numbers with marks between thousands"),
        (["a"] * 99 + ["1,200"], None),
        (
            ["2024-01-31T10:00:00Z"] * 50 + ["2024-01-31 10:00:00"] * 50,
            "times, not all of them with a time zone or in whole microseconds",
        ),
        (["2024-01-31 10:00:00.123456789"] * 9, "times, not all of them with a time zone or in whole microseconds"),
        (["31.01.2024"] * 50 + ["2024-01-31"] * 50, "dates that aren't ISO 8601 (2024-01-31)"),
    ],
)
def test_a_form_is_told_by_the_values_that_have_it(texts, form):
    assert signs.odd_form(pa.array(texts)) == form
