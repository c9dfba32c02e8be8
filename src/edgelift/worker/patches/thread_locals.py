"""threading.local by flow.

Without it overlapping requests see each other's values (connections, current user, Django's
`connections`): CPython's belongs to the native thread, of which there is one.
"""

from __future__ import annotations

import _thread
import _threading_local
import threading
import weakref
from typing import Any, Self

from edgelift.worker.flows import current


class local:
    """An object whose attributes each green thread has for itself.

    Subclasses run __init__ once per thread.
    """

    __slots__ = ("__dict__", "__weakref__", "_local__state")

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - the class's docstring
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        values: dict[int, dict[str, Any]] = {}
        object.__setattr__(self, "_local__state", (values, args, kwargs))
        identity = current.get().identity
        # Made here, so that the __init__ Python calls next is this thread's only one.
        values[identity.ident] = {}
        identity.touched.append(weakref.ref(self))
        return self

    def __getattribute__(self, name: str) -> Any:
        _enter(self)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        _enter(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        _enter(self)
        object.__delattr__(self, name)


def _enter(self: local) -> None:
    """Make the running thread's values the object's __dict__.

    Nothing else runs before they are used.
    """
    values, args, kwargs = object.__getattribute__(self, "_local__state")
    identity = current.get().identity
    own = values.get(identity.ident)
    if own is None:
        own = values[identity.ident] = {}
        identity.touched.append(weakref.ref(self))
        object.__setattr__(self, "__dict__", own)
        if type(self).__init__ is not object.__init__:
            type(self).__init__(self, *args, **kwargs)
    object.__setattr__(self, "__dict__", own)


def install() -> None:
    """Replace threading.local.

    The module's own helper object too, or current_thread() forgets threads.
    """
    threads: Any = threading
    raw: Any = _thread
    python: Any = _threading_local
    threads.local = raw._local = python.local = local
    threads._thread_local_info = local()
