"""What a sample of a table shows: missing tokens, the target, what columns are for, leaks, oddities."""

from distml.lifecycle.look.remark import Remark

__all__ = ["Remark"]
