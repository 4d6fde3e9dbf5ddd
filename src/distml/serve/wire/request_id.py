"""The id that a request and its answer share, by which labels are told later."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

_FORM = re.compile(r"[\x21-\x7e]{1,128}")
REQUEST_ID = "1 to 128 printable ASCII characters without spaces"


def is_request_id(text: object) -> bool:
    return isinstance(text, str) and _FORM.fullmatch(text) is not None


def request_id_of(headers: Mapping[str, str]) -> str:
    """The client's own id, `X-Request-Id`, where it is one; else a new one. headers: names in lower case."""
    given = headers.get("x-request-id", "")
    return given if is_request_id(given) else uuid.uuid4().hex
