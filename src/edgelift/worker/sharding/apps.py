"""Stands around the app: finds the shards of each request before the app, or answers itself."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from edgelift.worker.loop import run_coroutine
from edgelift.worker.sharding.choice import choose
from edgelift.worker.sharding.keys import read_environ, read_scope
from edgelift.worker.sharding.router import RefusedError, Router, to_key

_ASGI = frozenset({"fastapi", "asgi"})


def route_app(app: Any, framework: str, router: Router | None) -> Any:
    """Return the app with its route around it; the app itself where nothing is sharded."""
    if router is None:
        return app
    router.import_call()
    return RoutedAsgi(app, router) if framework in _ASGI else RoutedWsgi(app, router)


class RoutedWsgi:
    """A WSGI application whose requests work on the shard of their key."""

    def __init__(self, app: Any, router: Router) -> None:
        self.app = app
        self.router = router

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request (PEP 3333)."""
        try:
            if self.router.call is not None:
                key = self.router.call(environ)
                key = to_key(run_coroutine(key) if inspect.iscoroutine(key) else key)
            else:
                key = self.router.read_key(read_environ(environ))
            choose(*self.router.find_shards(key))
        except RefusedError as refusal:
            body = _write_body(refusal)
            headers = [("Content-Type", _TYPE), ("Content-Length", str(len(body)))]
            start_response(f"{refusal.status} {_read_phrase(refusal.status)}", headers)
            return [body]
        return self.app(environ, start_response)


class RoutedAsgi:
    """An ASGI application whose requests work on the shard of their key."""

    def __init__(self, app: Any, router: Router) -> None:
        self.app = app
        self.router = router

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a connection; what is no request (lifespan) goes to the app as it is."""
        if scope["type"] == "http":
            try:
                await self._choose(scope)
            except RefusedError as refusal:
                body = _write_body(refusal)
                length = str(len(body)).encode()
                headers = [(b"content-type", _TYPE.encode()), (b"content-length", length)]
                start = {"type": "http.response.start", "status": refusal.status}
                await send({**start, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)

    async def _choose(self, scope: dict[str, Any]) -> None:
        if self.router.call is not None:
            found = self.router.call(scope)
            key = to_key(await found if inspect.isawaitable(found) else found)
        else:
            key = self.router.read_key(read_scope(scope))
        choose(*self.router.find_shards(key))


_TYPE = "text/plain; charset=utf-8"


def _write_body(refusal: RefusedError) -> bytes:
    return f"No shard: {refusal}\n".encode("utf-8", "backslashreplace")


def _read_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
