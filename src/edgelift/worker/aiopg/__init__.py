"""The application's own aiopg, pure Python, over the psycopg2 of this package.

Under CPython nothing needs to change. A Worker's event loop has no readers of descriptors; there
a connection's poll waits for its statement, suspending only its request, so none are needed.
"""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any


class LoopWithoutReaders:
    """An event loop whose readers and writers of descriptors do nothing."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        """Do nothing: nobody waits for the descriptor."""

    def remove_reader(self, fd: Any) -> bool:
        """Do nothing and return that there was no reader."""
        return False

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        """Do nothing: nobody waits for the descriptor."""

    def remove_writer(self, fd: Any) -> bool:
        """Do nothing and return that there was no writer."""
        return False


def get_running_loop() -> LoopWithoutReaders:
    """Return the running loop, without its readers."""
    return LoopWithoutReaders(asyncio.get_running_loop())


class NoSelect:
    """What aiopg asks after an error whether a descriptor is still good: here none is bad."""

    @staticmethod
    def select(*_arguments: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """Return that nothing is ready."""
        return [], [], []


def patch(module: ModuleType) -> None:
    """Give aiopg.connection loops without readers, and descriptors that are never asked."""
    names: Any = module
    names.get_running_loop = get_running_loop
    names.select = NoSelect
