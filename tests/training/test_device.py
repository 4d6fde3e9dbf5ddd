import pytest
import torch

from distml.errors import TrainingError
from distml.training.device import choose_device

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_cpu_is_cpu():
    assert choose_device("cpu") == torch.device("cpu")


@without_gpu
def test_auto_is_the_cpu_where_there_is_no_gpu():
    assert choose_device("auto") == torch.device("cpu")


@without_gpu
def test_cuda_needs_a_gpu():
    with pytest.raises(TrainingError, match=r"set train\.device: auto"):
        choose_device("cuda")
