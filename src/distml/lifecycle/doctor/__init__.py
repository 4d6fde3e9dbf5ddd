"""`doctor`: is everything there that distml needs, here or on every node of a cluster, and if not, what to do.

Each file holds plain functions that look at one machine and give `Check` values; `cluster` asks every node by a task.
"""

from distml.lifecycle.doctor.check import Check, State, worst
from distml.lifecycle.doctor.examine import Examined, examine
from distml.lifecycle.doctor.question import Question

__all__ = ["Check", "Examined", "Question", "State", "examine", "worst"]
