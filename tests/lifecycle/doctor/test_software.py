"""Versions: within the ranges, and the same on every node."""

from __future__ import annotations

import platform

import pytest

from distml.lifecycle.doctor import software


@pytest.mark.parametrize(
    ("requirement", "version", "told"),
    [
        ("ray[tune]>=2.54", "2.54.0", None),
        ("ray[tune]>=2.54", "2.53.9", "ray 2.53.9 is installed, >=2.54 is needed"),
        ("torch>=2.10", "2.13.0+cpu", None),
        ("torch>=2.10", "2.11.0rc1", None),
        ("torch>=2.10,<3", None, "torch isn't installed, <3,>=2.10 is needed"),
        ("pytest>=8; extra == 'dev'", None, None),
        ("tomli>=2; python_version < '3'", None, None),
    ],
)
def test_ranges(requirement, version, told):
    assert software.out_of_range([requirement], lambda name: version) == ([told] if told else [])


def test_this_environment_is_within_the_ranges():
    assert software.python().state == software.packages().state == "ok"
    assert software.python().found == platform.python_version()
    assert "ray " in software.packages().found


def test_versions_are_told_by_a_function_that_needs_no_distml():
    told = software.teller()(["ray", "no-such-package"])
    assert told == {"python": platform.python_version(), "ray": software.installed("ray"), "no-such-package": None}


def test_the_function_travels_as_code():
    from ray import cloudpickle

    content = cloudpickle.dumps(software.teller())
    assert b"importlib" in content  # its code, which a name would not have
    assert cloudpickle.loads(content)(["ray"])["ray"] == software.installed("ray")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"python": "3.11.7", "ray": "2.60.0"}, None),
        ({"python": "3.11.7", "ray": "2.54.0"}, "ray 2.54.0 instead of 2.60.0"),
        ({"python": "3.12.1", "ray": None}, "python 3.12.1 instead of 3.11.7, ray missing instead of 2.60.0"),
    ],
)
def test_differences(other, said):
    found = software.differences({"python": "3.11.7", "ray": "2.60.0"}, other)
    assert found.state == ("fail" if said else "ok")
    assert said is None or found.found == said
