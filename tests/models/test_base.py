import json

import pytest

from distml.models import FAMILIES, ModelSpec
from problems import TASKS, spec_of


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_spec_survives_json(family, task):
    spec = spec_of(family, task, cardinalities=(4, 7))
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
