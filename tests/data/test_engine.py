import pytest

from contracts.engine import EngineContract
from distml.data import LocalEngine


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self):
        return LocalEngine()
