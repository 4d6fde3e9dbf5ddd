"""Modules of a user's own, really written to a folder and imported from there."""

from __future__ import annotations

import importlib
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distml import code

SOURCE = '''
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .helpers import half


def score(a, b):
    """Half the sum; null where one is."""
    return pc.add(half(a), half(b))


def upper(text):
    return pc.utf8_upper(text)


def both(t):
    return pc.invert(t)


def next_day(d):
    return pc.add(d, pa.scalar(86_400_000_000, pa.duration("us")))


def as_numpy(a):
    return np.sqrt(np.abs(a.to_numpy(zero_copy_only=False)))


def centred(a):
    return pc.subtract(a, pc.mean(a))


def short(a):
    return a[:-1]


def table(a):
    return {"a": a}


def picky(a):
    if pc.any(pc.greater(a, 1e6)).as_py():
        raise ValueError("too   large\\nfor me")
    return a


def unready(a):
    return [number * 2 for number in a.to_pylist()]


def ratio(a, b):
    return pc.divide(a, b)
'''
HELPERS = "import pyarrow.compute as pc\n\n\ndef half(a):\n    return pc.divide(a, 2.0)\n"

NETS = '''
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width, input):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 4) for size in input.cardinalities)
        self.body = nn.Linear(input.num_numeric + 4 * len(input.cardinalities), width)
        self.head = nn.Linear(width, input.num_outputs)

    def forward(self, numeric, categorical, tensors=None):
        codes = [table(categorical[:, i]) for i, table in enumerate(self.tables)]
        return self.head(torch.relu(self.body(torch.cat([numeric, *codes], dim=1))))


def build(params, input):
    return Net(params.get("width", 16), input)


class Tied(Net):
    """A tensor under two names, and layers that learn their width from the first rows."""

    def __init__(self, input):
        super().__init__(16, input)
        self.body = nn.LazyLinear(16)
        self.again = self.head


def tied(params, input):
    return Tied(input)


class Centred(Net):
    def forward(self, numeric, categorical, tensors=None):
        outputs = super().forward(numeric, categorical)
        return outputs - outputs.mean(dim=0) + numeric.mean()


class Broken(Net):
    def forward(self, numeric, categorical, tensors=None):
        raise ValueError("no   such\\nlayer")


class Tired(Net):
    """Raises in training alone, where it was tried without complaint."""

    def forward(self, numeric, categorical, tensors=None):
        if self.training:
            raise ValueError("too   tired")
        return super().forward(numeric, categorical)


class Narrow(Net):
    def forward(self, numeric, categorical, tensors=None):
        return super().forward(numeric, categorical)[:, 0]


class Empty(nn.Module):
    def forward(self, numeric, categorical, tensors=None):
        return torch.zeros(len(numeric), 2)


def centred(params, input):
    return Centred(16, input)


def tired(params, input):
    return Tired(16, input)


def broken(params, input):
    return Broken(16, input)


def narrow(params, input):
    return Narrow(16, input)


def empty(params, input):
    return Empty()


def nothing(params, input):
    return None


def needs_depth(params, input):
    return Net(params["depth"], input)


number = 3
'''

LOSSES = '''
import torch
from torch.nn import functional


def plain(outputs, target):
    """What distml takes by itself."""
    if target.is_floating_point():
        return (outputs[:, 0] - target) ** 2
    return functional.cross_entropy(outputs, target, reduction="none")


def focal(outputs, target):
    losses = plain(outputs, target)
    return (1 - torch.exp(-losses)) ** 2 * losses


def mean(outputs, target):
    return plain(outputs, target).mean()


def broken(outputs, target):
    return outputs[:, 7]
'''

LOOPS = '''
import torch
from torch.nn import functional


def epoch_of(model, optimizer, batches):
    total = n = 0
    model.train()
    for rows in batches:
        outputs = model(rows.numeric, rows.categorical, rows.tensors)
        if rows.target.is_floating_point():
            loss = functional.mse_loss(outputs[:, 0], rows.target)
        else:
            loss = functional.cross_entropy(outputs, rows.target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, n = total + loss.item() * len(rows), n + len(rows)
    return total / n


def answers(model, rows):
    model.eval()
    with torch.no_grad():
        return model(rows.numeric, rows.categorical, rows.tensors)


def begin(handle):
    model = handle.build()
    return model, torch.optim.Adam(model.parameters(), lr=handle.params["lr"])


def loop(handle):
    """A loop that does all that one may: it goes on after a crash, and lets the best weights be kept."""
    model, optimizer = begin(handle)
    saved = handle.load()
    if saved is not None:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    while handle.goes_on:
        epoch = handle.epoch + 1
        loss = epoch_of(model, optimizer, handle.batches(epoch))
        handle.report(epoch, train_loss=loss, state=model.state_dict())
        handle.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()})


def short(handle):
    """As short as a loop may be, and with the weights of its best epoch at hand."""
    model, optimizer = begin(handle)
    best, least = None, float("inf")
    for epoch in range(1, handle.max_epochs + 1):
        epoch_of(model, optimizer, handle.batches(epoch))
        if handle.validation is None:
            handle.report(epoch)
            best = model.state_dict()
            continue
        outputs = answers(model, handle.validation)
        loss = functional.cross_entropy(outputs, handle.validation.target).item()
        if loss < least:
            best, least = {name: one.clone() for name, one in model.state_dict().items()}, loss
        if not handle.report(epoch, outputs=outputs):
            break
    return best


def last(handle):
    """Returns the last epoch's weights, whichever was the best."""
    model, optimizer = begin(handle)
    for group in optimizer.param_groups:
        group["lr"] = 0.3
    for epoch in range(1, handle.max_epochs + 1):
        epoch_of(model, optimizer, handle.batches(epoch))
        if not handle.report(epoch, outputs=answers(model, handle.validation)):
            break
    return model.state_dict()


def raises(handle):
    model, optimizer = begin(handle)
    epoch_of(model, optimizer, handle.batches(1))
    handle.report(1, state=model.state_dict())
    raise ValueError("out   of\\npaper")


def silent(handle):
    return begin(handle)[0].state_dict()


def nan_loss(handle):
    handle.report(1, train_loss=float("nan"), state=begin(handle)[0].state_dict())


def nan_outputs(handle):
    handle.report(1, outputs=answers(begin(handle)[0], handle.validation) * float("nan"))


def swallows(handle):
    try:
        nan_loss(handle)
    except Exception:
        pass
    return begin(handle)[0].state_dict()


def deaf(handle):
    model, optimizer = begin(handle)
    for epoch in range(1, 1000):
        epoch_of(model, optimizer, handle.batches(epoch))
        handle.report(epoch, outputs=answers(model, handle.validation))
    return model.state_dict()


def deaf_with_states(handle):
    model, optimizer = begin(handle)
    for epoch in range(1, 1000):
        epoch_of(model, optimizer, handle.batches(epoch))
        handle.report(epoch, state=model.state_dict())


def skips(handle):
    handle.report(2, state=begin(handle)[0].state_dict())


def tells_nothing(handle):
    handle.report(1, train_loss=1.0)


def one_output(handle):
    handle.report(1, outputs=answers(begin(handle)[0], handle.validation)[:, :1])


def other_network(handle):
    handle.report(1, outputs=answers(begin(handle)[0], handle.validation))
    return torch.nn.Linear(2, 2).state_dict()


def no_weights(handle):
    handle.report(1, outputs=answers(begin(handle)[0], handle.validation))


def a_module(handle):
    model = begin(handle)[0]
    handle.report(1, outputs=answers(model, handle.validation))
    return model


def saves_a_function(handle):
    handle.report(1, state=begin(handle)[0].state_dict())
    handle.save({"step": answers})
'''


def write_package(folder: Path, name: str, source: str = SOURCE, helpers: str = HELPERS, **modules: str) -> None:
    """modules: the sources of `nets`, `losses` and `loops`, where they aren't those above."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "__init__.py").write_text('"""Features of my own."""\n')
    (home / "features.py").write_text(source)
    (home / "helpers.py").write_text(helpers)
    for module, text in {"nets": NETS, "losses": LOSSES, "loops": LOOPS, **modules}.items():
        (home / f"{module}.py").write_text(text)
    (home / "unrelated.py").write_text("VALUE = 1\n")


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package that can be imported, and isn't allowed."""
    name = f"mine_{uuid.uuid4().hex[:8]}"
    write_package(tmp_path / "code", name)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setenv(code.VARIABLE, "")
    yield name
    for module in [known for known in sys.modules if known.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture
def rewrite_own(tmp_path: Path, own_package: str) -> Callable[..., None]:
    """Writes the package anew, as another process would find it."""
    from distml.derive import own

    def write(**parts: str) -> None:
        write_package(tmp_path / "code", own_package, **parts)
        for module in [known for known in sys.modules if known.partition(".")[0] == own_package]:
            del sys.modules[module]
        importlib.invalidate_caches()
        code.source_hash.cache_clear()
        own._function.cache_clear()

    return write
