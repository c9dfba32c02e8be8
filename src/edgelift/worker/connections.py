"""Keeps each request to sockets of its own, whatever the app keeps: globals, pools, caches.

A Worker refuses I/O on a socket that another request opened, and ends sockets with their request.
So a driver's connection that is still open when its request ends is closed then; whoever kept the
object, a module or a pool, finds a new connection behind it, opened with the same arguments when
it is first used in a later request. A request that uses another running request's connection gets
one of its own behind the same object.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from edgelift.worker.flows import at_end, current, is_importing

_HOME = "_edgelift_home"
_DIVISION = "_edgelift_division"


def set_plainly(unconnected: Any, name: str, value: Any) -> bool:
    """Set an attribute of an object that is not connected."""
    setattr(unconnected, name, value)
    return True


@dataclass(frozen=True)
class Driver:
    """How to handle a driver's connections.

    `open` makes a new one from the arguments of the first, `close` ends it politely, `is_open`
    looks without any I/O, `carry` copies settings made after the connect from one to another.
    `remember` keeps a setting made on a postponed connection, or returns False.
    """

    open: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
    close: Callable[[Any], object]
    is_open: Callable[[Any], bool]
    carry: Callable[[Any, Any], object] = lambda _old, _new: None
    remember: Callable[[Any, str, Any], bool] = set_plainly


@dataclass
class Home:
    """Where a connection belongs: the request that opened it, and how to open another."""

    driver: Driver
    request_id: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass
class Division:
    """What stands behind a connection that outlived its request: one connection per request."""

    home: Home
    settings: Any
    behind: dict[int, Any] = field(default_factory=dict)


_opening: list[bool] = []


def adopt(
    connection: Any,
    driver: Driver,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> None:
    """Take a connection that was just opened into the care of the running request."""
    home = Home(driver, current.get().request_id, args, kwargs or {})
    object.__setattr__(connection, _HOME, home)
    if _opening:
        return
    reference = weakref.ref(connection)

    def end() -> None:
        kept = reference()
        if kept is not None:
            release(kept)

    at_end(end)


def release(connection: Any) -> None:
    """End what a request opened; the object itself can be used again in another request.

    One that the app closed stays closed.
    """
    home = _read(connection, _HOME)
    division = _read(connection, _DIVISION)
    if division is not None:
        _close_behind(division, home.request_id)
    elif home.driver.is_open(connection):
        divide(connection)
        _close_behind(_read(connection, _DIVISION), home.request_id)


def _close_behind(division: Division, request_id: int) -> None:
    behind = division.behind.pop(request_id, None)
    if behind is not None:
        # What is left of a request must not fail it: its answer may have been sent already.
        with contextlib.suppress(Exception):
            division.home.driver.close(behind)


def postpone(
    connection: Any,
    driver: Driver,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> None:
    """Take an object whose connect must wait: the app's import opens it, requests use it."""
    object.__setattr__(
        connection, _HOME, Home(driver, current.get().request_id, args, kwargs or {})
    )
    divide(connection)
    _read(connection, _DIVISION).behind.clear()


def _read(connection: Any, name: str) -> Any:
    return object.__getattribute__(connection, "__dict__").get(name)


def divide(connection: Any) -> None:
    """Make a connection one that gives each request its own; the opener keeps what it has."""
    home = _read(connection, _HOME)
    kind = type(connection)
    inner = object.__new__(kind)
    state = object.__getattribute__(connection, "__dict__")
    own = dict(state)
    object.__setattr__(inner, "__dict__", own)
    division = Division(home, inner, {home.request_id: inner})
    state.clear()
    state.update({_HOME: home, _DIVISION: division})
    object.__setattr__(connection, "__class__", shared_class(kind))


_shared: dict[Any, Any] = {}


def shared_class(kind: Any) -> Any:
    """Return the class of divided connections of a driver's class."""
    if kind not in _shared:
        _shared[kind] = _make_shared(kind)
    return _shared[kind]


def _make_shared(kind: Any) -> Any:
    return type(
        kind.__name__,
        (kind,),
        {
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "__getattribute__": _get,
            "__setattr__": _set,
            "__delattr__": lambda self, name: delattr(find_own(self), name),
            "__del__": lambda _self: None,
            "__repr__": lambda self: repr(find_own(self)),
        },
    )


_OWN_NAMES = frozenset({"__class__", "__dict__", _HOME, _DIVISION})


def _get(self: Any, name: str) -> Any:
    if name in _OWN_NAMES:
        return object.__getattribute__(self, name)
    return getattr(find_own(self), name)


def _set(self: Any, name: str, value: Any) -> None:
    division: Division = _read(self, _DIVISION)
    postponed = is_importing() and current.get().request_id not in division.behind
    if not (postponed and division.home.driver.remember(division.settings, name, value)):
        setattr(find_own(self), name, value)


def may_postpone() -> bool:
    """Return whether the app's import opens a connection that only requests will use."""
    return is_importing() and not _opening


def find_own(connection: Any) -> Any:
    """Return the running request's connection behind a divided one, opened if there is none."""
    division: Division = _read(connection, _DIVISION)
    request_id = current.get().request_id
    own = division.behind.get(request_id)
    if own is None:
        home = division.home
        _opening.append(True)
        try:
            own = home.driver.open(type(connection).__mro__[1], home.args, home.kwargs)
        finally:
            _opening.pop()
        home.driver.carry(division.settings, own)
        division.behind[request_id] = own
        at_end(lambda: _close_behind(division, request_id))
    return own


def guard(kind: type, names: Iterable[str]) -> None:
    """Make methods of a connection class notice that another request uses the connection."""
    for name in names:
        method = kind.__dict__.get(name)
        if method is not None and not hasattr(method, "__wrapped__"):
            setattr(kind, name, _guarded(method))


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        home = _read(self, _HOME)
        if home is not None and home.request_id != current.get().request_id:
            if _read(self, _DIVISION) is None:
                divide(self)
            return getattr(find_own(self), method.__name__)(*args, **kwargs)
        return method(self, *args, **kwargs)

    return guarded
