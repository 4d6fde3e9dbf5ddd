import pytest

from contracts.engine import EngineContract
from distml.data import LocalEngine


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self):
        return LocalEngine()

    def test_work_waits_until_its_result_is_asked_for(self, engine):
        done = []
        results = engine.map_with(lambda: done.append, [1, 2])
        assert done == []
        next(results)
        assert done == [1]
