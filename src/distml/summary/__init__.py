"""One mergeable summary of a table, the same whatever the partitioning.

A `TableSummary` is filled by `update` with the table's blocks and combined by `merge`. Feature fitting reads the
training split's summary, the package keeps one as the drift baseline, replicas fill one live; drift compares two.
"""

from distml.summary.column import MAX_CATEGORIES, ColumnSummary
from distml.summary.numbers import as_numbers, decile_edges, histogram
from distml.summary.sketch import DISTINCT_SKETCH
from distml.summary.table import ByTarget, TableSummary, sample_size_for

__all__ = [
    "DISTINCT_SKETCH",
    "MAX_CATEGORIES",
    "ByTarget",
    "ColumnSummary",
    "TableSummary",
    "as_numbers",
    "decile_edges",
    "histogram",
    "sample_size_for",
]
