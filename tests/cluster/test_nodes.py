"""The nodes to plan for."""

from __future__ import annotations

import pytest

from distml.cluster import nodes


@pytest.mark.ray
def test_this_machine_is_what_a_local_cluster_has(ray_session):
    import ray

    (found,) = nodes.this_machine().nodes
    (running,) = nodes.cluster().nodes
    assert running.cpu == 2  # what the session was told
    assert found.gpu == running.gpu == ray.cluster_resources().get("GPU", 0)
    assert found.cpu == ray._private.utils.get_num_cpus()
    assert found.object_store > 0 and running.object_store > 0


@pytest.mark.ray
def test_a_cluster_without_an_autoscaler_grows_no_more(ray_session):
    capacity = nodes.cluster()
    assert capacity.may_join == ()
    assert not capacity.grows_unknown


@pytest.mark.parametrize(
    ("most", "present", "count"),
    [(3, 0, 3), (3, 2, 1), (3, 3, None), (3, 4, None), (-1, 7, 100_000), (0, 0, None)],
)
def test_what_may_join(most, present, count):
    found = nodes.may_join([("kind", {"CPU": 4, "GPU": 1}, most)], {"kind": present})
    assert [(node.name, node.cpu, node.gpu, node.count) for node in found] == ([("kind", 4, 1, count)] if count else [])


@pytest.mark.parametrize(
    ("config", "most"),
    [({}, 2), ({"max_workers": 8}, 8), ({"max_workers": 8, "kind": 3}, 3), ({"max_workers": 3, "kind": 8}, 3)],
)
def test_the_most_workers_of_a_kind_are_bounded_by_the_cluster(config, most):
    kind = {"resources": {"CPU": 1}} | ({"max_workers": config["kind"]} if "kind" in config else {})
    file = {name: value for name, value in config.items() if name != "kind"} | {"available_node_types": {"kind": kind}}
    assert nodes.groups_of(file) == [("kind", {"CPU": 1}, most)]


def test_a_file_without_kinds_has_none():
    assert nodes.groups_of({}) == []


def test_no_report_counts_nothing():
    assert nodes.counts_of({}) == {}
