"""`--allow-code`: commands that may import code of the user's own say whose."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import typing
from collections.abc import Callable
from typing import Any

from distml.cli.options import AllowCode

_LIFECYCLE = ("run", "prepare", "tune", "train", "evaluate", "resume", "retrain")
CODABLE = frozenset((*_LIFECYCLE, "validate", "plan", "deploy", "predict", "promote", "rollback", "feedback"))


def codable(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option --allow-code more. What it allows may lie in the folder that one works in, too."""

    @functools.wraps(command)
    def wrapped(*, allow_code: list[str], **params: Any) -> None:
        from distml import code

        code.allow(allow_code)
        if code.allowed() and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # as workers have it from Ray
        command(**params)

    known = inspect.signature(command)
    kinds = {**typing.get_type_hints(command, include_extras=True), "allow_code": AllowCode}
    option = inspect.Parameter("allow_code", inspect.Parameter.KEYWORD_ONLY, default=[], annotation=AllowCode)
    parameters = [known.parameters[name].replace(annotation=kinds[name]) for name in known.parameters]
    wrapped.__signature__ = known.replace(parameters=[*parameters, option])  # type: ignore[attr-defined]
    wrapped.__annotations__ = kinds
    return wrapped
