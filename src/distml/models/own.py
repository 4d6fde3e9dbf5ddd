"""`own`: a network that a factory of the user's own makes, and what of their code a model is made and fitted with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distml import code
from distml.batch import InputSpec
from distml.code import CodeRef
from distml.config.model import OWN, ModelConfig
from distml.errors import CodeError, DistmlError
from distml.models.base import Family, ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

KEYS = ("factory", "loss", "train_fn")
_ROWS = 16  # as many as a network is given at least: see `models.network`
_FACTORY = "a factory of your own makes a torch module"


def code_of(config: ModelConfig) -> dict[str, CodeRef]:
    """What a config names of the user's own, imported, by key: `factory`, `loss`, `train_fn`.

    Raises `CodeError` as `code.load`, and for what can't be called.
    """
    found = {}
    for key in KEYS:
        dotted = getattr(config, key)
        if dotted is None:
            continue
        function, found[key] = code.load(dotted, place_of(key))
        if not callable(function):
            raise CodeError(
                f"model.{key} is called", received=f"{dotted}, a {type(function).__name__}", where=place_of(key),
                remedy="name a function or a class",
            )  # fmt: skip
    return found


def code_for(family: str, known: Mapping[str, CodeRef]) -> dict[str, CodeRef]:
    """The part of a config's own code that a family's models are made and fitted with."""
    if family == "trees":
        return {}
    if family != OWN:
        keys: tuple[str, ...] = ("loss",)
    else:
        keys = ("factory", "train_fn") if "train_fn" in known else ("factory", "loss")
    return {key: known[key] for key in keys if key in known}


def function_of(spec: ModelSpec, key: str) -> Callable[..., Any]:
    """What a spec names by a key, imported where its source is what it was; errors as `code.reload`."""
    function: Callable[..., Any] = code.reload(spec.code[key], place_of(key))
    return function


def place_of(key: str) -> str:
    """Where the config says whose code it is."""
    return f"model.{key}"


def require_factory(spec: ModelSpec) -> None:
    """Raises as `function_of` where a model can't be built for want of its factory."""
    if "factory" in spec.code:
        function_of(spec, "factory")


@contextmanager
def told_where(spec: ModelSpec) -> Iterator[None]:
    """Raises what a network of the user's own raises while it is fitted as a `CodeError` that names their line."""
    try:
        yield
    except Exception as error:
        ref = spec.code.get("factory")
        if ref is None or is_not_theirs(error) or code.place_in(error, ref.module) is None:
            raise
        rule, told = "a network of your own is fitted on its training rows", code.told(error, ref.module)
        raise _refused(spec, rule, told, "correct it there") from error


def is_not_theirs(error: Exception) -> bool:
    """Whether an error says enough by itself, whoever's line it came through: distml's own, and of memory."""
    return isinstance(error, (DistmlError, MemoryError)) or type(error).__name__ == "OutOfMemoryError"


def build(spec: ModelSpec) -> nn.Module:
    """The module that the factory makes of a spec's parameters and inputs, tried on a few rows.

    Raises `CodeError` for a factory that raises or gives no network that takes such rows and answers each by itself.
    """
    function = function_of(spec, "factory")
    try:
        module = function(dict(spec.params), spec.input)
    except Exception as error:
        raise _refused(spec, _FACTORY, code.told(error, spec.code["factory"].module), "correct it there") from error
    _check(spec, module)
    return module


def _check(spec: ModelSpec, module: Any) -> None:
    import torch
    from torch import nn

    if not isinstance(module, nn.Module):
        raise _refused(spec, _FACTORY, f"a {type(module).__name__}", "return an nn.Module")
    was_training = module.training
    module.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        rows = _sample(spec.input)
        outputs = _forward(spec, module, rows)
        half = _forward(spec, module, _mixed(rows, _sample(spec.input)))
    module.train(was_training)
    if not any(True for _ in module.parameters()):
        raise _refused(spec, "a network of your own has parameters to train", "none", "register them in the module")
    # Rounding may differ with the rows beside, but no more than that.
    if not torch.allclose(outputs[: _ROWS // 2], half[: _ROWS // 2], rtol=1e-3, atol=1e-4, equal_nan=True):
        raise _refused(
            spec, "a row's outputs don't depend on other rows, as a request may hold one row alone",
            "others for the same rows among other rows",
            "take no statistics over the batch where module.training is off",
        )  # fmt: skip


Inputs = tuple["torch.Tensor", "torch.Tensor", dict[str, "torch.Tensor"]]


def _sample(spec: InputSpec) -> Inputs:
    """Rows of any numbers and codes: (numeric [n, f], categorical [n, c], tensors)."""
    import torch

    codes = [torch.randint(size, (_ROWS, 1)) for size in spec.cardinalities]
    categorical = torch.cat(codes, dim=1) if codes else torch.empty(_ROWS, 0, dtype=torch.int64)
    images = {name: torch.randint(256, (_ROWS, *one.shape), dtype=torch.uint8) for name, one in spec.tensors.items()}
    return torch.randn(_ROWS, spec.num_numeric), categorical, images


def _mixed(rows: Inputs, others: Inputs) -> Inputs:
    """The first half of some rows, and the other half of others."""
    import torch

    def mix(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.cat([a[: _ROWS // 2], b[_ROWS // 2 :]])

    images = {name: mix(image, others[2][name]) for name, image in rows[2].items()}
    return mix(rows[0], others[0]), mix(rows[1], others[1]), images


def _forward(spec: ModelSpec, module: nn.Module, rows: Inputs) -> torch.Tensor:
    import torch

    rule, k = "a network of your own takes (numeric [n, f], categorical [n, c], tensors)", spec.input.num_outputs
    try:
        outputs = module(*rows)
    except Exception as error:
        shapes = f"f={spec.input.num_numeric}, c={len(spec.input.cardinalities)}"
        told = f"{code.told(error, spec.code['factory'].module)}, with {shapes}"
        raise _refused(spec, rule, told, "correct it there; `input` says what a row has") from error
    is_floats = isinstance(outputs, torch.Tensor) and outputs.ndim in (2, 3) and outputs.is_floating_point()
    if is_floats and (len(outputs), outputs.shape[-1]) == (_ROWS, k):
        return outputs
    shape = f"{tuple(outputs.shape)} for n={_ROWS}" if isinstance(outputs, torch.Tensor) else type(outputs).__name__
    raise _refused(spec, f"a network of your own gives floats [n, {k}]", shape, "`input.num_outputs` says how many")


def _refused(spec: ModelSpec, rule: str, received: str, remedy: str) -> CodeError:
    where = f"{place_of('factory')} {spec.code['factory'].dotted}"
    return CodeError(rule, received=received, where=where, remedy=remedy)


_DEFAULTS: dict[str, Any] = {"lr": 1e-3, "weight_decay": 1e-4}
FAMILY = Family(
    name=OWN,
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={"lr": {"log": [1e-4, 1e-2]}, "weight_decay": {"log": [1e-6, 1e-2]}},
    tunable=("lr", "weight_decay"),
    is_open=True,
    build=build,
)
