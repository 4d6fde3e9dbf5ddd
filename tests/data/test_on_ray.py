import pytest
from contracts.engine import EngineContract

pytestmark = pytest.mark.ray


class TestRayEngine(EngineContract):
    @pytest.fixture
    def engine(self, ray_session):
        from distml.data.on_ray import RayEngine

        return RayEngine()
