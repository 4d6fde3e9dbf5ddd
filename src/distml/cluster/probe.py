"""What a cluster says of itself before anything is submitted to it: run there as a job of its own, in a second or two.

Prints one JSON line. It imports what it reports on, and nothing that takes time.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import orjson

from distml.errors import DistmlError
from distml.storage import Storage

MARK = "\x1e"  # begins the line that is meant for a program, as in RFC 7464


def main() -> None:
    """Tells versions, and whether the storage that DISTML_PROBE names can be written; an error as its fields."""
    told: dict[str, Any] = {name: version(name) for name in ("distml", "ray")}
    told["python"] = platform.python_version()
    storage = os.environ.get("DISTML_PROBE")
    try:
        if storage:
            home = Storage(storage)
            home.check_writable()
            home.delete_if_empty()
    except DistmlError as error:
        told["error"] = error.to_dict()
    os.write(1, f"{MARK}{orjson.dumps(told).decode()}\n".encode())


if __name__ == "__main__":
    main()
