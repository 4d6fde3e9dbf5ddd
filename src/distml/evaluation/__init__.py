"""Judging a package: metrics on rows that it was not fitted on, baselines, slices, the gate."""

from distml.evaluation.gate import Comparison, Verdict, judge
from distml.evaluation.report import Evaluation, evaluate, slice_metrics

__all__ = ["Comparison", "Evaluation", "Verdict", "evaluate", "judge", "slice_metrics"]
