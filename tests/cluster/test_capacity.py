"""How many of something nodes hold, by arithmetic alone."""

from __future__ import annotations

import pytest

from distml.cluster.capacity import Node, num_fitting

SMALL = Node(name="small", cpu=2)
LARGE = Node(name="large", cpu=8, gpu=2)


@pytest.mark.parametrize(
    ("cpu", "gpu", "fitting"),
    [
        (1, 0, 8),
        (3, 0, 2),
        (8, 0, 1),
        (8.0001, 0, 0),
        (0.1, 0, 80),  # 8.0 // 0.1 is 79 in floating point
        (0.3, 0, 26),
        (1, 1, 2),
        (5, 1, 1),
        (1, 2, 1),
        (1, 3, 0),
        (1, 0.5, 4),
        (1, 0.6, 2),  # one on each GPU, not three on two
        (0.1, 0.1, 20),
    ],
)
def test_what_one_node_holds(cpu, gpu, fitting):
    assert LARGE.fitting(cpu, gpu) == fitting


def test_each_is_on_one_node():
    assert num_fitting([SMALL, LARGE], 3, 0) == 2  # not 10 // 3
    assert num_fitting([], 1, 0) == 0
    assert num_fitting([Node(name="kind", cpu=2, count=5)], 2, 0) == 5
