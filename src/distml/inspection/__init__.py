"""What is wrong with a table, found without rules written for it, and what its columns hold."""

from distml.inspection.remark import Remark

__all__ = ["Remark"]
