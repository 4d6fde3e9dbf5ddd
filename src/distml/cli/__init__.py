"""The command `distml`: parses, calls one function, prints."""

from distml.cli.app import main

__all__ = ["main"]
