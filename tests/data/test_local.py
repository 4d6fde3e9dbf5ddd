from pathlib import Path

import pytest

from contracts.engine import EngineContract, blocks_of, make_doubled, total
from distml.data import LocalEngine


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self):
        return LocalEngine()

    def test_what_memory_cannot_hold_lies_in_files(self):
        with_files, without = LocalEngine(max_shelved_bytes=100), LocalEngine()
        shelves = [engine.shelve(blocks_of, make_doubled, [5, 30]) for engine in (with_files, without)]
        assert shelves[0].notes == shelves[1].notes
        assert shelves[0].map(total, [3] * 35) == shelves[1].map(total, [3] * 35)
        folder = Path(shelves[0]._folder.name)
        assert len(list(folder.iterdir())) > 25
        for shelf in shelves:
            shelf.close()
        assert not folder.exists()

    def test_work_waits_until_its_result_is_asked_for(self, engine):
        done = []
        results = engine.map_with(lambda: done.append, [1, 2])
        assert done == []
        next(results)
        assert done == [1]
