"""What belongs to an asyncpg connection and must not be used after it was given back to a pool."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .exceptions import InterfaceError


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Raise InterfaceError when the connection of an object has been released."""

    @functools.wraps(method)
    def check(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_released(method.__name__)
        return method(self, *args, **kwargs)

    return check


class ConnectionResource:
    """An object of a connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._releases = connection._releases

    def _check_released(self, name: str) -> None:
        if self._releases != self._connection._releases:
            kind = type(self).__name__
            raise InterfaceError(
                f"cannot call {kind}.{name}(): the underlying connection has been released back "
                "to the pool"
            )
