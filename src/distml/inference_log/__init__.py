"""What was asked of a model and what came true, as Parquet segments in storage that replicas write."""

from distml.inference_log.feedback import FEEDBACK, feedback_table, read_feedback
from distml.inference_log.segments import Segments, SegmentWriter

__all__ = ["FEEDBACK", "SegmentWriter", "Segments", "feedback_table", "read_feedback"]
