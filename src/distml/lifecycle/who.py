"""Who decides, as the audit log has it."""

from __future__ import annotations

import getpass
import os
import socket


def this_user() -> str:
    """This process's user: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
