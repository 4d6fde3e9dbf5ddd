import json
import subprocess
import sys

import pytest

from contracts.model import rows_for, spec_for
from distml.errors import ConfigError, PackageError
from distml.models import FAMILIES, build_network, learned, load_model
from distml.models.network import NetworkModel
from problems import IMAGES, spec_of

NETWORKS = [name for name, family in FAMILIES.items() if family.kind == "network" and not family.is_open]


def ready(family, task, **shape):
    """A spec from which a network can be built."""
    return learned(spec_for(family, task, **shape), rows_for(family, task, **shape))


def stored(folder, family, task):
    spec = ready(family, task)
    NetworkModel(spec, build_network(spec)).save(folder)
    return folder


def rewrite(folder, change):
    path = folder / "model.json"
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(json.dumps(value), "utf-8")


def _one_column_more(value):
    value["input"]["num_numeric"] += 1
    value["learned"]["bins"] = [*value["learned"].get("bins", [None] * 3), None]


@pytest.mark.parametrize("family", NETWORKS)
def test_a_network_answers_with_the_specs_outputs(family):
    import torch

    spec = ready(family, "multiclass", cardinalities=(4, 7))
    images = {name: torch.zeros(6, *IMAGES[name].shape, dtype=torch.uint8) for name in spec.input.tensors}
    outputs = build_network(spec)(torch.zeros(6, 3), torch.zeros(6, 2, dtype=torch.int64), images)
    assert (outputs.shape[0], outputs.shape[-1]) == (6, 3)
    assert outputs.ndim == (3 if family == "tabm" else 2)


def test_an_unknown_family_is_refused(tmp_path):
    stored(tmp_path, family="linear", task="binary")
    rewrite(tmp_path, lambda value: value.update(family="forest"))
    with pytest.raises(PackageError, match="received forest") as caught:
        load_model(tmp_path)
    assert all(name in caught.value.remedy for name in FAMILIES)


@pytest.mark.parametrize("family", NETWORKS)
def test_weights_of_another_shape_are_refused(family, tmp_path):
    stored(tmp_path, family=family, task="binary")
    rewrite(tmp_path, _one_column_more)
    with pytest.raises(PackageError, match="weights fit the model"):
        load_model(tmp_path)


def test_trees_have_no_network():
    with pytest.raises(AssertionError, match="trees is not a network"):
        build_network(spec_of("trees", "binary"))


def test_a_family_of_images_is_refused_where_there_are_none():
    with pytest.raises(ConfigError, match="cnn is fitted on images; received a table without an image column"):
        build_network(spec_of("cnn", "binary"))
    FAMILIES["cnn"].check_columns(has_images=True)
    for name in set(FAMILIES) - {"cnn"}:
        FAMILIES[name].check_columns(has_images=False)


def test_families_are_known_without_the_libraries_that_build_them():
    code = "import distml.models, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "tabm", "rtdl_num_embeddings", "rtdl_revisiting_models", "lightgbm", "sklearn", "scipy"}
    assert set(done.stdout.split()) & heavy == set()
