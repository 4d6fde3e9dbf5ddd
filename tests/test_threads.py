"""One number of threads for every library of a process: each test asks a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def told(code: str, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept | environment
    )
    return done.stdout.split()


def test_a_number_holds_for_what_is_loaded():
    code = (
        "import torch, pyarrow\n"
        "from distml.threads import num_threads, set_threads\n"
        "set_threads(3)\n"
        "print(num_threads(), torch.get_num_threads(), pyarrow.cpu_count())"
    )
    assert told(code) == ["3", "3", "3"]


def test_torch_is_not_loaded_for_it_and_settled_when_it_comes():
    code = (
        "import sys\n"
        "from distml.threads import set_threads, settle_torch\n"
        "set_threads(3)\n"
        "print('torch' in sys.modules)\n"
        "import torch\n"
        "settle_torch()\n"
        "print(torch.get_num_threads())"
    )
    assert told(code) == ["False", "3"]


def test_where_none_was_chosen_libraries_keep_their_own():
    code = (
        "import torch\n"
        "before = torch.get_num_threads()\n"
        "from distml.threads import num_threads, settle_torch\n"
        "settle_torch()\n"
        "print(num_threads(), torch.get_num_threads() == before)"
    )
    assert told(code) == ["0", "True"]
    assert told(code, OMP_NUM_THREADS="5") == ["5", "True"]


@pytest.mark.parametrize("n", [0, -1])
def test_no_thread_is_not_a_number_of_threads(n):
    from distml.threads import set_threads

    with pytest.raises(AssertionError):
        set_threads(n)
