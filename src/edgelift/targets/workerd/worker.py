"""Serves a bundle on the local runtime: starts workerd, asks it control questions, stops it."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from edgelift.errors import TargetError
from edgelift.model.server_url import ServerUrl
from edgelift.targets.workerd.bundle import Bundle
from edgelift.targets.workerd.config import (
    DATABASES_DISK,
    ENVIRONMENT_VARIABLE,
    HYPERDRIVE_VARIABLE,
    TOKEN_VARIABLE,
)
from edgelift.targets.workerd.d1_storage import database_folder
from edgelift.targets.workerd.process import HOST, Launch, WorkerdProcess
from edgelift.toolchain import Toolchain

CONTROL_HEADER = "x-edgelift-control"
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b")
_START_TIMEOUT_S = 60.0
_CONTROL_TIMEOUT_S = 300.0


class Worker:
    """A lifted app that answers at `url`; a context manager that stops it."""

    def __init__(self, process: WorkerdProcess, token: str) -> None:
        self._process = process
        self._token = token
        self.url = f"http://{HOST}:{process.port}"
        self.port = process.port
        self.pid = process.pid
        self.log = process.log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop workerd; it may be called again."""
        self._process.stop()

    def read_log_tail(self) -> str:
        """Return the last lines of the log of this start."""
        return self._process.read_log_tail()

    def check_alive(self) -> None:
        """Raise TargetError with the log's last lines when workerd has ended."""
        self._process.check_alive()

    def info(self) -> dict[str, Any]:
        """Return `booted`, `answered` requests and, once Python runs, `boot_ms`, `wasm_bytes`."""
        answer: dict[str, Any] = msgspec.json.decode(self._control("info"))
        return answer

    def warm(self) -> dict[str, Any]:
        """Start Python now instead of in the first request, and return `info()`."""
        answer: dict[str, Any] = msgspec.json.decode(self._control("boot"))
        return answer

    def run_scheduled(self, cron: str) -> dict[str, Any]:
        """Run the jobs of one cron expression and return what the adapter reports of them."""
        answer: dict[str, Any] = msgspec.json.decode(self._control("scheduled", cron.encode()))
        return answer

    def arm_fault(self, fault: str) -> int:
        """Let a write or commit of the app fail (worker/sqlite3/faults.py), "" for none any more.

        Returns how many faults have been raised so far.
        """
        return msgspec.json.decode(self._control("fault", fault.encode()), type=int)

    def function_table(self) -> list[str]:
        """Return Python's function table as text, one entry per slot."""
        return msgspec.json.decode(self._control("table"), type=list[str])

    def ping(self) -> None:
        """Wait until HTTP is answered; raises TargetError with the log when workerd ends before."""
        self._control("ping", timeout_s=_START_TIMEOUT_S)

    def _control(
        self, verb: str, body: bytes | None = None, timeout_s: float = _CONTROL_TIMEOUT_S
    ) -> bytes:
        headers = {CONTROL_HEADER: f"{self._token}:{verb}"}
        status, answer = self._process.request("/", body=body, headers=headers, timeout_s=timeout_s)
        if status != 200:
            boot = "The app does not start in the Worker"
            raise TargetError(
                boot
                if verb == "boot"
                else f"The Worker cannot answer the control request {verb!r}",
                why=find_error_line(answer.decode("utf-8", "replace")),
                tip=f"the whole log is in {self._process.log}",
            )
        return answer


def find_error_line(text: str) -> str:
    """Return the line of a traceback that says what was raised, else the beginning of the text."""
    lines = [line for line in text.splitlines() if _RAISED.match(line)]
    return lines[-1] if lines else text[:500]


def start_worker(  # noqa: PLR0913 - the contract's signature; all but the first are keywords
    bundle: Bundle,
    *,
    state: Path,
    port: int = 0,
    env: Mapping[str, str],
    log: Path,
    toolchain: Toolchain,
    warm: bool = False,
    servers: Mapping[str, ServerUrl] | None = None,
) -> Worker:
    """Serve `bundle` on 127.0.0.1 and return once HTTP is answered.

    With `warm` Python is started too. `state` holds the databases, `env` becomes os.environ, the
    app's output goes to `log`. `servers` are the database servers of the Hyperdrive bindings, by
    binding; without one its connections are refused. Raises TargetError when the port is taken,
    workerd ends, or (with `warm`) the app cannot be started.
    """
    folders = {"files": bundle.out / "files", "assets": bundle.out / "assets"}
    if bundle.databases or bundle.objects:
        folders[DATABASES_DISK] = database_folder(state)
    token = secrets.token_urlsafe(24)
    known = {
        h.binding: (h, url) for h in bundle.hyperdrives if (url := (servers or {}).get(h.binding))
    }
    launch = Launch(
        workerd=toolchain.workerd,
        config=bundle.out / "config.bin",
        folders={name: path.resolve() for name, path in folders.items()},
        log=log,
        variables={
            TOKEN_VARIABLE: token,
            ENVIRONMENT_VARIABLE: msgspec.json.encode(dict(env)).decode(),
            HYPERDRIVE_VARIABLE: msgspec.json.encode(
                {binding: describe_server(url) for binding, (_, url) in known.items()}
            ).decode(),
        },
        port=port,
        addresses={h.service: url.address for h, url in known.values()},
    )
    worker = Worker(WorkerdProcess(launch), token)
    try:
        worker.ping()
        if warm:
            worker.warm()
    except BaseException:
        worker.stop()
        raise
    return worker


def describe_server(url: ServerUrl) -> dict[str, object]:
    """Return what js/host.mjs adds to a binding: as whom to connect.

    A server that wants TLS is reached directly: workerd's own binding speaks plain TCP, while
    Cloudflare's Hyperdrive speaks TLS to the server by itself.
    """
    told: dict[str, object] = {
        "user": url.user,
        "password": url.password,
        "database": url.database,
    }
    return {**told, "host": url.host, "port": url.port, "tls": True} if url.needs_tls else told


def read_function_table(bundle: Bundle, toolchain: Toolchain, log: Path) -> list[str]:
    """Start a bundle from its snapshot and return the function table it has then."""
    with (
        tempfile.TemporaryDirectory(prefix="edgelift-check-") as state,
        start_worker(bundle, state=Path(state), env={}, log=log, toolchain=toolchain) as worker,
    ):
        return worker.function_table()
