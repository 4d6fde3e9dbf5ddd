import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig, parse_config
from distml.data import LocalEngine
from distml.errors import DataError
from distml.lifecycle.predict import predict_table
from distml.lifecycle.run import Resources, run
from distml.predictor import Predictor

CONFIG = """
name: shop
data: {source: {uri: TABLE}, target: sold, positive: "yes"}
clean: {rules: {price: {min: 0, on_violation: quarantine}, pages: {max: 900, on_violation: drop}}}
model: {families: [linear]}
search: {num_samples: 1}
train: {max_epochs: 2}
"""


def rows(n: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    price = rng.uniform(1, 50, n).round(2)
    sold = np.where(price + rng.normal(0, 5, n) < 25, "yes", "no")
    return pa.table({"price": price, "pages": rng.integers(50, 800, n), "sold": sold})


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The registered version, its storage and its predictor."""
    folder = tmp_path_factory.mktemp("shop")
    pyarrow.csv.write_csv(rows(300), folder / "table.csv")
    config = parse_config(CONFIG.replace("TABLE", str(folder / "table.csv")), [f"storage={folder / 'store'}"])
    result = run(config, Resources())
    with result.storage.local_folder(result.version.package) as home:
        return result.version, result.storage, Predictor.load(home)


@pytest.fixture
def score(shop, tmp_path):
    def score_to(out: str, source: str = "in.*"):
        uri = str(tmp_path / source)
        return predict_table(shop[0], shop[1], SourceConfig(uri=uri), str(tmp_path / out), LocalEngine())

    return score_to


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_the_input_comes_first_then_what_the_predictor_says(shop, score, tmp_path, out):
    table = rows(50, seed=1).drop_columns(["sold"])
    pq.write_table(table, tmp_path / "in.parquet")
    scored = score(out)
    assert (scored.num_rows, scored.num_quarantined, scored.quarantine) == (50, 0, None)
    written = pyarrow.csv.read_csv(tmp_path / out) if out.endswith("csv") else pq.read_table(tmp_path / out)
    assert written.column_names == ["price", "pages", "prediction", "probability_no", "probability_yes"]
    wanted = shop[2].predict(table)
    assert written.column("prediction").to_pylist() == wanted.values.tolist()
    np.testing.assert_allclose(written.column("probability_yes"), wanted.probabilities[:, 1], atol=1e-12)


def test_each_row_set_aside_has_its_own_reasons_and_none_is_lost(score, tmp_path):
    lines = ["price,pages", "3,100", *["-1,100"] * 8, *["x,100"] * 8, "-2,901", "4,200"]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    scored = score("out.csv")
    assert (scored.num_rows, scored.num_quarantined) == (2, 17)
    aside = pyarrow.csv.read_csv(scored.quarantine).to_pydict()
    assert aside["distml_row"] == list(range(1, 18))
    low, wrong = "price: at least 0", "price: a numeric column holds numbers"
    assert aside["distml_reason"] == [low] * 8 + [wrong] * 8 + [f"{low}; pages: at most 900"]


def test_an_earlier_quarantine_does_not_stay(score, tmp_path):
    (tmp_path / "in.csv").write_text("price,pages\n-1,100\n")
    assert score("out.csv").num_rows == 0
    (tmp_path / "in.csv").write_text("price,pages\n1,100\n")
    assert score("out.csv").quarantine is None
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.csv"]


def test_a_table_without_rows_gives_one_without_rows(score, tmp_path):
    pq.write_table(rows(3).slice(0, 0), tmp_path / "in.parquet")
    assert score("out.parquet").num_rows == 0
    assert "prediction" in pq.read_table(tmp_path / "out.parquet").column_names


def test_the_input_is_never_written_over(score, tmp_path):
    pq.write_table(rows(5), tmp_path / "in.parquet")
    before = (tmp_path / "in.parquet").read_bytes()
    with pytest.raises(DataError, match="another file"):
        score("in.parquet")
    assert (tmp_path / "in.parquet").read_bytes() == before


def test_columns_that_scoring_adds_are_not_overwritten(score, tmp_path):
    pq.write_table(rows(5).append_column("prediction", pa.array(range(5))), tmp_path / "in.parquet")
    with pytest.raises(DataError, match="no column that scoring adds"):
        score("out.parquet")
    assert not list(tmp_path.glob("out*"))


def test_only_parquet_and_csv_are_written(score, tmp_path):
    pq.write_table(rows(5), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"\.parquet or \.csv"):
        score("out.txt")
