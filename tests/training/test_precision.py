"""Precisions: what a device has, what it is refused, what comes of it."""

import pytest
import torch

from distml.errors import TrainingError
from distml.metrics import METRICS
from distml.training import fit
from distml.training.precision import Precision, choose_precision
from problems import problem, settings_of, spec_of

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of before Ampere, or of after."""

    def has(bf16):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")

    return has


@pytest.mark.parametrize(("wanted", "name"), [("auto", "float32"), ("float32", "float32"), ("bf16", "bf16")])
def test_what_a_cpu_has(wanted, name):
    assert choose_precision(wanted, CPU) == Precision(name, "cpu")


@pytest.mark.parametrize(
    ("bf16", "wanted", "name"),
    [(True, "auto", "bf16"), (False, "auto", "float32"), (False, "fp16", "fp16"), (True, "bf16", "bf16")],
)
def test_what_a_gpu_has(gpu, bf16, wanted, name):
    gpu(bf16)
    assert choose_precision(wanted, GPU) == Precision(name, "cuda")


def test_what_a_device_lacks_is_refused(gpu):
    with pytest.raises(TrainingError, match="fp16 needs a device that has it; received a CPU"):
        choose_precision("fp16", CPU)
    gpu(False)
    with pytest.raises(TrainingError, match="bf16 needs a device that has it; received Tesla V100"):
        choose_precision("bf16", GPU)


def test_only_the_forward_pass_is_cast():
    with Precision("bf16", "cpu").cast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Precision("float32", "cpu").cast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_bf16_learns_what_float32_learns_and_keeps_float32():
    spec, train, held_out = spec_of("mlp", "binary"), problem("binary"), problem("binary", seed=1)
    found = {
        name: fit(spec, train, held_out, METRICS["roc_auc"], settings_of(max_epochs=8, precision=name))
        for name in ("float32", "bf16")
    }
    assert found["bf16"].best_score == pytest.approx(found["float32"].best_score, abs=0.02)
    assert (found["bf16"].outputs != found["float32"].outputs).any()
    assert {value.dtype for value in found["bf16"].model.module.state_dict().values()} == {torch.float32}
    assert found["bf16"].notes == ("precision: bf16 on cpu",)
    assert found["float32"].notes == ()
