"""What Serve tells of a service, by a real one."""

import socket

import pytest

from distml.lifecycle.serving.ray_serve import serving
from distml.serve.traffic import Deployed, Traffic

TRAFFIC = Traffic(main=Deployed(version=4, package="trained/4"), asked_at=5.0).to_dict()


@pytest.fixture(scope="module")
def tiny(ray_session):
    """A deployment that scales, with the user config of a service."""
    from ray import serve

    @serve.deployment(
        name="Replica", ray_actor_options={"num_cpus": 0.1}, user_config=TRAFFIC,
        autoscaling_config={"min_replicas": 1, "max_replicas": 3, "target_ongoing_requests": 2, "upscale_delay_s": 4},
    )  # fmt: skip
    class Tiny:
        def reconfigure(self, config):
            pass

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "WARNING"})
    serve.run(Tiny.bind(), name="tiny", route_prefix="/tiny")
    yield
    serve.shutdown()


def test_a_service_at_rest(tiny):
    known = serving("tiny")
    assert known is not None
    assert (known["status"], known["message"], known["traffic"]) == ("RUNNING", "", TRAFFIC)
    assert known["scaling"].items() >= {
        "min_replicas": 1, "max_replicas": 3, "target_ongoing_requests": 2.0, "upscale_delay_s": 4.0,
        "target_replicas": 1, "status": "HEALTHY",
    }.items()  # fmt: skip
    (replica,) = known["replicas"]
    assert replica["state"] == "RUNNING"
    assert isinstance(replica["pid"], int)
    assert replica["node"]


def test_no_such_service(tiny):
    assert serving("none") is None
