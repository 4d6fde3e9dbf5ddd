"""From raw tables to cleaned, split, summarised rows."""

from distml.data.dealing import SPLITS, Split
from distml.data.engine import Engine
from distml.data.local import LocalEngine
from distml.data.split import SplitPlan, plan_split

__all__ = ["SPLITS", "Engine", "LocalEngine", "Split", "SplitPlan", "plan_split"]
