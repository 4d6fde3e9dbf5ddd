"""A replica that notes nothing of what it serves, so nothing is summarised or sent: for what monitoring costs.

Python runs this file at the start of every process that has its folder on PYTHONPATH, Ray's workers among them.
"""

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType

MODULE = "distml.serve.counting.seen"
NOTING = ("request", "answered", "answered_table", "batch", "waited", "ignored", "absent")


class _Unwatched(importlib.abc.MetaPathFinder):
    """Finds the module as Python would, and changes its class when it is loaded."""

    def find_spec(self, name, path, target=None):  # type: ignore[no-untyped-def]
        if name != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for method in NOTING:
                assert callable(getattr(module.Seen, method)), f"Seen.{method} is gone: change {__file__}"
                setattr(module.Seen, method, lambda *_, **__: None)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Unwatched())
