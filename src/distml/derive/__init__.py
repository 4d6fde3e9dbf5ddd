"""Columns made from other columns of the same row: by an expression, or by a function of the user's own.

language   expressions: which nodes there are, how they are typed
functions  what can be called in one, vectorised
own        a user's function: called, its result checked, its rows independent of each other
columns    which columns a config derives, in which order, of which kind
"""

from distml.derive.columns import source_hashes, with_derived
from distml.derive.made import derive
from distml.derive.own import check_rowwise, reload_functions

__all__ = ["check_rowwise", "derive", "reload_functions", "source_hashes", "with_derived"]
