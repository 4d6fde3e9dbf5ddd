import pytest

from contracts.tracker import TrackerContract
from distml.tracking import MemoryTracker


class TestMemoryTracker(TrackerContract):
    @pytest.fixture
    def tracker(self):
        return MemoryTracker()

    def read(self, tracker, run):
        return tracker.runs[run]
