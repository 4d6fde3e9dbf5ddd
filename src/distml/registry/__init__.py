"""Versions of models: which exist, which is champion, and who decided what when."""

from distml.registry.base import Decision, Registry, Version, resolve
from distml.registry.memory import MemoryRegistry
from distml.registry.store import StoreRegistry

__all__ = ["Decision", "MemoryRegistry", "Registry", "StoreRegistry", "Version", "resolve"]
