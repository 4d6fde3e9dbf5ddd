import pytest
import ray

import contracts.engine
from contracts.engine import EngineContract
from distml.data.on_ray import RayEngine

pytestmark = pytest.mark.ray


class TestRayEngine(EngineContract):
    @pytest.fixture
    def engine(self, ray_session):
        # Workers don't have the tests on their path.
        ray.cloudpickle.register_pickle_by_value(contracts.engine)
        yield RayEngine()
        ray.cloudpickle.unregister_pickle_by_value(contracts.engine)


@pytest.mark.timeout(60)
def test_code_that_the_workers_do_not_have_is_an_error(ray_session):
    with pytest.raises(Exception, match=r"install on every node .*No module named 'contracts'"):
        RayEngine().map(contracts.engine.double, [1])
