import json

import pytest

from contracts.registry import RegistryContract
from distml.errors import NotFoundError
from distml.registry import Decision, MemoryRegistry
from distml.registry.base import resolve


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def registry(self):
        return MemoryRegistry()


def test_a_decision_survives_json():
    decision = Decision(name="churn", version=2, action="refuse", reasons=("worse",), by="run r", at="2026-01-01")
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict()))) == decision


def test_without_any_model_a_name_is_unknown():
    with pytest.raises(NotFoundError, match="known models: none"):
        resolve(MemoryRegistry(), "churn")
