"""From raw tables to cleaned, split, summarised rows."""

from distml.data.engine import Engine, LocalEngine
from distml.data.split import SPLITS, Split, SplitPlan, plan_split

__all__ = ["SPLITS", "Engine", "LocalEngine", "Split", "SplitPlan", "plan_split"]
