"""Row-wise cleaning: the first step of every path that a raw table takes."""

from distml.clean.cleaned import Cleaned
from distml.clean.cleaner import RowCleaner
from distml.clean.convert import as_text
from distml.clean.findings import MAX_EXAMPLES, Finding, merge_findings

__all__ = ["MAX_EXAMPLES", "Cleaned", "Finding", "RowCleaner", "as_text", "merge_findings"]
