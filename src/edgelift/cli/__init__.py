"""The command line: parses arguments, calls the library verb of that name, shows its events."""

from edgelift.cli.main import main

__all__ = ["main"]
