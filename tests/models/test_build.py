import json

import pytest

from distml.errors import PackageError
from distml.models import FAMILIES, build_network, load_model
from distml.models.network import NetworkModel
from problems import spec_of

NETWORKS = [name for name, family in FAMILIES.items() if family.kind == "network" and not family.is_open]


def stored(folder, **spec):
    model = NetworkModel(spec_of(**spec), build_network(spec_of(**spec)))
    model.save(folder)
    return folder


def rewrite(folder, change):
    path = folder / "model.json"
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(json.dumps(value), "utf-8")


@pytest.mark.parametrize("family", NETWORKS)
def test_a_network_answers_with_the_specs_outputs(family):
    import torch

    network = build_network(spec_of(family, "multiclass", cardinalities=(4, 7)))
    assert network(torch.zeros(6, 3), torch.zeros(6, 2, dtype=torch.int64)).shape == (6, 3)


def test_an_unknown_family_is_refused(tmp_path):
    stored(tmp_path, family="linear", task="binary")
    rewrite(tmp_path, lambda value: value.update(family="forest"))
    with pytest.raises(PackageError, match="received forest") as caught:
        load_model(tmp_path)
    assert all(name in caught.value.remedy for name in FAMILIES)


@pytest.mark.parametrize("family", NETWORKS)
def test_weights_of_another_shape_are_refused(family, tmp_path):
    stored(tmp_path, family=family, task="binary")
    rewrite(tmp_path, lambda value: value["input"].update(num_numeric=4))
    with pytest.raises(PackageError, match="weights fit the model"):
        load_model(tmp_path)


def test_trees_have_no_network():
    with pytest.raises(AssertionError, match="trees is not a network"):
        build_network(spec_of("trees", "binary"))
