"""The search: a space, an objective, a study that asks and is told, and two ways to run its trials."""

from distml.tune.objective import Candidate, Objective, TrialRecord
from distml.tune.search import Search, SearchListener
from distml.tune.space import SearchSpace

__all__ = ["Candidate", "Objective", "Search", "SearchListener", "SearchSpace", "TrialRecord"]
