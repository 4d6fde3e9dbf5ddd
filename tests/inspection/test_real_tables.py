"""Every count that is known of the real tables comes out of configs that say nothing but dialect and target."""

from __future__ import annotations

import pytest

from distml.inspection.profile import profile
from inspected import count, inspected, seen

ADULT = [
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship",
    "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income",
]  # fmt: skip


@pytest.fixture(scope="module")
def adult(shared_data):
    data = {
        "source": {"header": False, "columns": ADULT},
        "test": {"uri": str(shared_data / "adult/adult.test"), "comment": "|"},
    }
    return inspected(shared_data / "adult/adult.data", "income", data=data)


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("source", "workclass", 1836), ("source", "occupation", 1843), ("source", "native_country", 583),
        ("test", "workclass", 963), ("test", "occupation", 966), ("test", "native_country", 274),
    ],
)  # fmt: skip
def test_adult_missing_tokens(adult, table, column, expected):
    found = seen(adult, "missing_token", column, table)
    assert found.count == expected
    assert found.remedy == 'data: {source: {missing: ["?"]}}'
    assert all(example.value == "'?'" for example in found.examples)


def test_adult_duplicates_sentinels_and_lines_that_are_no_rows(adult):
    assert count(adult, "duplicate") == 24
    assert count(adult, "duplicate", table="test") == 5
    assert count(adult, "sentinel", "capital_gain") == 159
    lines = {(o.rule, o.table): (o.count, o.examples[0].line) for o in adult.observations if o.kind == "skipped"}
    assert lines["no comment lines", "test"] == (1, 1)
    assert lines["no blank lines", "source"] == (1, 32562)


def test_adult_labels_that_end_in_dots(adult):
    found = seen(adult, "new_category", "income", "test")
    assert (found.count, found.level) == (16281, "high")
    assert '">50K.": ">50K"' in found.remedy


def test_adult_groups_and_their_share_of_the_target(adult):
    columns = {column["name"]: column["tables"]["source"] for column in profile(adult)}
    race = {item["value"]: item["rows"] for item in columns["race"]["top"]}
    assert race == {"White": 27816, "Black": 3124, "Asian-Pac-Islander": 1039, "Amer-Indian-Eskimo": 311, "Other": 271}
    sex = {item["value"]: item["target"] for item in columns["sex"]["top"]}
    assert sex == {"Female": pytest.approx(0.1095, abs=5e-5), "Male": pytest.approx(0.3057, abs=5e-5)}
    income = {item["value"]: item["share"] for item in columns["income"]["top"]}
    assert income[">50K"] == pytest.approx(0.241, abs=5e-4)


@pytest.mark.parametrize(
    ("file", "target", "age"),
    [
        ("housing.csv", "median_house_value", "housing_median_age"),
        ("cal_housing.data", "medianHouseValue", "housingMedianAge"),
    ],
)
def test_california_caps(shared_data, file, target, age):
    found = inspected(shared_data / "california_housing" / file, target)
    assert (count(found, "cap", target), count(found, "cap", age)) == (965, 1273)
    assert "500001" in seen(found, "cap", target).told
    assert count(found, "duplicate") == 0


def test_california_gaps_and_a_rare_category(shared_data):
    found = inspected(shared_data / "california_housing/housing.csv", "median_house_value")
    columns = {column["name"]: column["tables"]["source"] for column in profile(found)}
    assert columns["total_bedrooms"]["missing"] == 207
    assert count(found, "cleaned", "total_bedrooms") == 207
    assert count(found, "rare", "ocean_proximity") == 5
    assert [example.value for example in seen(found, "rare", "ocean_proximity").examples] == ["'ISLAND'"] * 5


@pytest.fixture(scope="module")
def bank(shared_data):
    return inspected(shared_data / "bank_marketing/bank-full.csv", "y", data={"source": {"delimiter": ";"}})


@pytest.mark.parametrize(
    ("column", "expected"), [("job", 288), ("education", 1857), ("contact", 13020), ("poutcome", 36959)]
)
def test_bank_unknowns(bank, column, expected):
    assert count(bank, "missing_word", column) == expected


def test_bank_sentinel_leak_imbalance_and_drift(bank):
    assert count(bank, "sentinel", "pdays") == 36954
    assert "only afterwards" in seen(bank, "leakage", "duration").told
    assert count(bank, "imbalance", "y") == 5289
    told = seen(bank, "target_drift", "y").told
    assert told == "share of 'yes' by tenth: 0.03 0.037 0.048 0.064 0.061 0.062 0.1 0.13 0.16 0.47"
    assert count(bank, "duplicate") == 0


def test_bike_parts_of_the_target_broken_sensor_and_trend(shared_data):
    found = inspected(shared_data / "bike_sharing/hour.csv", "cnt")
    assert {o.column for o in found.observations if o.kind == "leakage"} == {"casual", "registered"}
    assert (count(found, "zeros", "hum"), count(found, "zeros", "windspeed")) == (22, 2180)
    assert seen(found, "id", "instant").remedy == "data: {roles: {id: [instant]}}"
    assert seen(found, "target_drift", "cnt") is not None
    day = next(column for column in profile(found) if column["name"] == "dteday")["tables"]["source"]
    assert (day["min"][:10], day["max"][:10]) == ("2011-01-01", "2012-12-31")


def test_elec_columns_that_stand_still_at_first(shared_data):
    found = inspected(shared_data / "elec2/elec.csv", "class")
    stuck = {o.column: o.count for o in found.observations if o.kind == "stuck"}
    assert stuck == {"vicprice": 17424, "vicdemand": 17424, "transfer": 17424}
    assert count(found, "duplicate") == 8
    assert {"transfer", "vicprice"} <= {o.column for o in found.observations if o.kind == "drift"}


@pytest.fixture(scope="module")
def taxi(shared_data):
    return inspected(shared_data / "nyc_taxi/yellow_tripdata_sample_20[12][0-9]-*.csv", "tip_amount")


def test_taxi_impossible_values(taxi):
    assert taxi.source.num_rows == 360_000 and not taxi.source.is_whole
    assert count(taxi, "impossible", "fare_amount") == 833
    assert count(taxi, "impossible", "dropoff_datetime") == 445
    assert count(taxi, "sentinel", "rate_code_id") == 16
    assert (count(taxi, "zeros", "passenger_count"), count(taxi, "zeros", "trip_distance")) == (7111, 4191)
    assert count(taxi, "duplicate") == 0


def test_taxi_values_far_from_all_others(taxi):
    found = {column: seen(taxi, "outlier", column) for column in ("fare_amount", "trip_distance", "pickup_datetime")}
    values = [observation.examples[0].value for observation in found.values()]
    assert values == ["429490.2", "46826.21", "2008-12-31 23:49:36"]


def test_taxi_columns_that_came_later(taxi):
    assert count(taxi, "cleaned", "congestion_surcharge") == 126_327
    assert count(taxi, "type", "congestion_surcharge") == 360_000 - 126_327
    assert "2018-01.csv:0 to" in seen(taxi, "null_spike", "congestion_surcharge").told
    five = ("vendor_id", "passenger_count", "rate_code_id", "payment_type", "store_and_fwd_flag")
    assert [count(taxi, "cleaned", column) for column in five] == [8244] * 5


def test_taxi_file_of_another_layout(shared_data):
    found = inspected(shared_data / "nyc_taxi/yellow_tripdata_sample_202[01]*.csv", "tip_amount")
    changed = seen(found, "schema_change")
    assert "has test_bool" in changed.told and "lacks vendor_id" in changed.told
    assert changed.examples[0].file.endswith("_2021.csv")
    (unreadable,) = (o for o in found.observations if o.kind == "unreadable")
    assert unreadable.level == "fail" and unreadable.examples[0].file.endswith("_2021.csv")


@pytest.mark.parametrize("name", ["wine", "iris", "diabetes"])
def test_bundled_tables_are_nearly_silent(name):
    found = inspected(f"sklearn:{name}", "target")
    assert [(o.kind, o.count) for o in found.observations] == ([("duplicate", 1)] if name == "iris" else [])
