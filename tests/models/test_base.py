import json
from dataclasses import replace

import pytest

from distml.code import CodeRef
from distml.models import FAMILIES, ModelSpec
from problems import TASKS, spec_of


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_spec_survives_json(family, task):
    spec = spec_of(family, task, cardinalities=(4, 7))
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_what_is_learned_and_own_code_survive_json():
    code = CodeRef(module="nets", attribute="build", distribution="nets", version="1.0", source_hash="ab")
    spec = replace(spec_of("mlp", "binary"), learned={"bins": [[-1.5, 0.1, 2.0], None]}, code={"factory": code})
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_a_spec_written_before_there_was_anything_to_learn_is_read():
    spec = spec_of("mlp", "binary")
    value = spec.to_dict()
    del value["learned"], value["code"]
    assert ModelSpec.from_dict(value) == spec
