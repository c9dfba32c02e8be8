"""The host module of PROTOCOL on Cloudflare's own Python runtime, over Workers' JavaScript APIs.

There it takes the place of the local runtime's js/host.mjs and js/d1_query.mjs: same names, same
JSON.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from edgelift.worker.host import from_buffer


def to_bound(value: Any) -> Any:
    """Return a parameter as D1's client takes it: null instead of undefined, bytes for a blob."""
    from pyodide.ffi import jsnull, to_js

    if value is None:
        return jsnull
    if isinstance(value, dict):
        return to_js(base64.b64decode(value["blob"]))
    return value


def from_cell(cell: Any) -> Any:
    """Return a cell of D1's answer in the driver's form: D1 gives blobs as arrays of numbers."""
    return {"blob": base64.b64encode(bytes(cell)).decode()} if isinstance(cell, list) else cell


def read_answer(answer: dict[str, Any], form: str) -> str:
    """Return the JSON of one statement's answer of all() or batch() (see js/d1_query.mjs)."""
    meta = answer.get("meta", {})
    found = [] if form == "run" else answer.get("results", [])
    if form == "json":
        cells = ",".join(next(iter(row.values())) for row in found)
        return f'{{"rows":[{cells}],"meta":{json.dumps(meta)}}}'
    columns = list(found[0]) if found else []
    rows = [[from_cell(row[name]) for name in columns] for row in found]
    return json.dumps({"rows": rows, "columns": columns, "meta": meta})


_ENDED = '"ended":true}'
_LOST_SESSION = (
    '{"results":[],"error":"the transaction was rolled back when the request that began it ended: '
    f'SQLITE_ABORT",{_ENDED}'
)


class CloudflareHost:
    """What Python asks of JavaScript; one object for all requests of the isolate."""

    def __init__(self) -> None:
        self._bodies: dict[int, Any] = {}
        # Transactions by number: the session at the gateway, and the request it ends with.
        self._sessions: dict[int, tuple[Any, int]] = {}

    @staticmethod
    def workers_module() -> Any:
        """Return the JavaScript module `cloudflare:workers`."""
        from workers import import_from_javascript

        return import_from_javascript("cloudflare:workers")

    async def d1(self, binding: str, request_json: str) -> str:
        """Run a request of the SQL driver and return its JSON answer."""
        from pyodide.ffi import JsException

        database = getattr(self.workers_module().env, binding)
        request = json.loads(request_json)
        try:
            results = await self._run_all(database, request["statements"])
            if not request.get("names"):
                return f'{{"results":[{",".join(results)}]}}'
            named = await self._raw(database, request["names"])
            return f'{{"results":[{",".join(results)}],"names":{json.dumps(named[0])}}}'
        except JsException as error:
            return json.dumps({"error": str(getattr(error, "message", error))})

    def hyperdrive(self, binding: str) -> str:
        """Return where a Hyperdrive binding leads and as whom, as JSON."""
        bound = getattr(self.workers_module().env, binding, None)
        if bound is None:
            return json.dumps({"error": f"Hyperdrive binding {binding}: no such binding"})
        names = ("host", "port", "user", "password", "database")
        return json.dumps({name: getattr(bound, name) for name in names})

    async def sql(  # noqa: PLR0917 - called from the driver as the local host is, by position
        self,
        binding: str,
        shard: str,
        number: int,
        begins: bool,
        busy_ms: int,
        request_id: int,
        message: str,
    ) -> str:
        """Send a message to a SQL object through its gateway (js/sql_gateway.mjs).

        The runtime ends a transaction with the request that began it; who goes on with it then is
        told so.
        """
        gateway = getattr(self.workers_module().env, binding)
        if not number:
            return str(await gateway.query(shard, message))
        if begins:
            begun = await gateway.begin(shard, message, busy_ms)
            session = getattr(begun, "session", None)
            if session is not None:
                self._sessions[number] = session, request_id
            return str(begun.answer)
        held = self._sessions.get(number)
        if held is None:
            return _LOST_SESSION
        try:
            answer = str(await held[0].step(message))
        except BaseException:
            self._sessions.pop(number, None)
            raise
        if answer.endswith(_ENDED):
            self._sessions.pop(number, None)
        return answer

    def sql_abandon(self, number: int) -> None:
        """Roll a transaction back without waiting for it."""
        held = self._sessions.pop(number, None)
        if held is not None:
            held[0].abandon()

    def sql_is_open(self, number: int) -> bool:
        """Return whether a transaction's request still runs."""
        return number in self._sessions

    def end_transactions(self, request_id: int) -> None:
        """Roll back what a request has left open; its session would end with it anyway."""
        for number in [n for n, held in self._sessions.items() if held[1] == request_id]:
            self.sql_abandon(number)

    async def _run_all(self, database: Any, statements: list[list[Any]]) -> list[str]:
        from pyodide.ffi import to_js

        if len(statements) == 1:
            return [await self._run_one(database, statements[0])]
        prepared = [self._prepare(database, asked) for asked in statements]
        answers = _to_python(await database.batch(to_js(prepared)))
        return [
            read_answer(answer, _form(asked))
            for answer, asked in zip(answers, statements, strict=True)
        ]

    async def _run_one(self, database: Any, asked: list[Any]) -> str:
        form = _form(asked)
        if form == "json":
            rows = _to_python(await self._prepare(database, asked).raw())
            return f'{{"rows":[{",".join(row[0] for row in rows)}]}}'
        if form == "raw":
            columns, *rows = await self._raw(database, asked)
            cells = [[from_cell(cell) for cell in row] for row in rows]
            return json.dumps({"rows": cells, "columns": columns})
        return read_answer(_to_python(await self._prepare(database, asked).all()), form)

    async def _raw(self, database: Any, asked: list[Any]) -> list[list[Any]]:
        rows: list[list[Any]] = _to_python(
            await self._prepare(database, asked).raw(columnNames=True)
        )
        return rows

    @staticmethod
    def _prepare(database: Any, asked: list[Any]) -> Any:
        statement = database.prepare(asked[0])
        return statement.bind(*map(to_bound, asked[1])) if asked[1] else statement

    @staticmethod
    def sleep(ms: float) -> Any:
        """Return a promise of the running request that comes true after `ms`."""
        import js

        return js.scheduler.wait(max(0, ms))

    @staticmethod
    def post(_request_id: int, _delay_ms: float, _token: int) -> bool:
        """Refuse: Python cannot enter another request; callbacks run in the one that posts."""
        return False

    def keep_body(self, request_id: int, body: Any) -> None:
        """Keep a request's body stream for read_body."""
        self._bodies[request_id] = body.getReader()

    def drop_body(self, request_id: int) -> None:
        """Forget a request's body; the runtime drops what the app did not read."""
        self._bodies.pop(request_id, None)

    async def read_body(self, request_id: int) -> bytes | None:
        """Return the next part of a request's body, None at its end."""
        reader = self._bodies.get(request_id)
        if reader is None:
            return None
        result = await reader.read()
        return None if result.done else from_buffer(result.value)

    def wait_until(self, promise: Any) -> None:
        """Keep the running request alive for a promise."""
        self.workers_module().waitUntil(promise)

    @staticmethod
    def pbkdf2(digest: str, password: Any, salt: Any, iterations: int, size: int) -> Any:
        """Derive a key with node:crypto."""
        from workers import import_from_javascript

        crypto = import_from_javascript("node:crypto")
        return crypto.pbkdf2Sync(password, salt, iterations, size, digest)

    @staticmethod
    def scrypt(  # noqa: PLR0917 - PROTOCOL's signature
        password: Any, salt: Any, n: int, r: int, p: int, maxmem: int, size: int
    ) -> Any:
        """Derive a key with node:crypto."""
        from workers import import_from_javascript

        crypto = import_from_javascript("node:crypto")
        return crypto.scryptSync(password, salt, size, N=n, r=r, p=p, maxmem=maxmem)


def _form(asked: list[Any]) -> str:
    return asked[2] if len(asked) > 2 else ""


def _to_python(value: Any) -> Any:
    import js

    return json.loads(js.JSON.stringify(value))
