"""Seconds of processor time to encode a table's features, beside scikit-learn's transforms of the same columns.

    python bench/encode.py --rows 1000000

Fitting is measured apart. Both do the same work in one thread: medians filled in and marked, numbers as normal scores
or standardised, categories as codes; texts of the table plain, or coded as a dictionary (which is how preparation
passes them on). Ratios are scikit-learn's time by ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from distml.clean import RowCleaner
from distml.config import CleanConfig, DataConfig
from distml.config.features import FeaturesConfig
from distml.features import FeaturePipeline, fit_features
from distml.hashing import row_hashes
from distml.schema import infer_schema
from distml.summary import TableSummary, sample_size_for

NUM_NUMBERS, NUM_CATEGORIES = 8, 7


def table_of(num_rows: int) -> pa.Table:
    """Eight numbers of several shapes, half of them with gaps, and seven categories of 2 to 1,000 values."""
    rng = np.random.default_rng(0)
    shapes = [rng.normal, rng.exponential, rng.random, lambda size: rng.lognormal(0, 1, size)]
    columns: dict[str, Any] = {}
    for i in range(NUM_NUMBERS):
        columns[f"n{i}"] = pa.array(shapes[i % 4](size=num_rows), mask=rng.random(num_rows) < 0.05 * (i % 2))
    for i, count in enumerate([2, 2, 5, 10, 50, 200, 1000]):
        words = pa.array([f"value {k}" for k in range(count)])
        places = pa.array(rng.integers(0, count, num_rows), pa.int32())
        columns[f"c{i}"] = pa.DictionaryArray.from_arrays(places, words).cast(pa.string())
    return pa.table({**columns, "y": pa.array(np.where(rng.random(num_rows) < 0.5, "yes", "no").tolist())})


def ours(table: pa.Table, scale: str) -> FeaturePipeline:
    config = DataConfig.model_validate({"source": {"uri": "memory"}, "target": "y"})
    cleaner = RowCleaner.from_config(infer_schema(table.slice(0, 10_000), config), config.source, CleanConfig())
    kinds = {column.name: column.kind for column in cleaner.schema.kept}
    summary = TableSummary(kinds, sample_size=sample_size_for(len(kinds)))
    summary.update(table, row_hashes(table))
    return fit_features(
        "dense", cleaner, summary, FeaturesConfig.model_validate({"numeric": {"scale": scale}})
    ).pipeline


def theirs(scale: str) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, QuantileTransformer, StandardScaler

    scaler = StandardScaler() if scale == "standard" else QuantileTransformer(output_distribution="normal")
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), scaler)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=5)
    return make_column_transformer(
        (numbers, [f"n{i}" for i in range(NUM_NUMBERS)]), (codes, [f"c{i}" for i in range(NUM_CATEGORIES)])
    )


def seconds_of(work: Callable[[], object], repeats: int = 3) -> float:
    """The least processor time of some runs."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    table = table_of(parser.parse_args().rows)
    coded = pa.table({
        name: column.dictionary_encode() if pa.types.is_string(column.type) else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    })  # fmt: skip
    frame = table.to_pandas()
    print(f"{table.num_rows:,} rows x {NUM_NUMBERS + NUM_CATEGORIES} columns, seconds of processor time")
    for scale in ("standard", "quantile"):
        pipeline, peer = ours(table, scale), theirs(scale).fit(frame.iloc[:100_000])
        peer_s = seconds_of(lambda peer=peer: peer.transform(frame), repeats=1)
        for name, rows in (("plain texts", table), ("coded texts", coded)):
            own_s = seconds_of(lambda pipeline=pipeline, rows=rows: pipeline.encode(rows))
            print(f"{scale:9} {name}: {own_s:6.3f}   scikit-learn {peer_s:6.3f}   ratio {peer_s / own_s:5.1f}")


if __name__ == "__main__":
    main()
