"""Starts workerd on a socket that this process opened, watches it, stops it."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from edgelift.errors import TargetError

HOST = "127.0.0.1"
_BACKLOG = 512
_STOP_S = 5.0
_TAIL_BYTES = 8192
_TAIL_LINES = 12
# glibc's restartable sequences off: workerd's allocator (tcmalloc) then uses them itself and keeps
# free memory per processor, not per thread: 3 to 8 MB less under load. Other libcs ignore it.
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}


@dataclass(frozen=True)
class Launch:
    """What to start: the config (binary when it ends in .bin), folders by service, variables.

    `addresses` are those of external services, by name.
    """

    workerd: Path
    config: Path
    folders: Mapping[str, Path]
    log: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    experimental: bool = False
    addresses: Mapping[str, str] = field(default_factory=dict)


def open_socket(port: int) -> socket.socket:
    """Return a listening socket; port 0 lets the system choose; raises TargetError when taken."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        opened.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        raise TargetError(
            f"Port {port} cannot be used",
            why="another program listens on it" if taken else str(error),
            tip="choose another port, or 0 to let the system choose one",
        ) from error
    return opened


class WorkerdProcess:
    """A running workerd; it dies with this process, however that ends."""

    def __init__(self, launch: Launch) -> None:
        self.log = launch.log
        with open_socket(launch.port) as listening, _open_log(launch.log) as log:
            self.port: int = listening.getsockname()[1]
            self._log_start = log.tell()
            self._process = _spawn(launch, listening.fileno(), log)
        self._watcher = _watch(self._process.pid)

    @property
    def pid(self) -> int:
        """The process id of workerd itself."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, None while it runs; negative for a signal."""
        return self._process.poll()

    def read_log_tail(self) -> str:
        """Return the last lines written since this start."""
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - _TAIL_BYTES))
                text = log.read().decode("utf-8", "replace")
        except OSError as error:
            return f"(the log {self.log} cannot be read: {error.strerror})"
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def check_alive(self) -> None:
        """Raise TargetError with the log's last lines when workerd has ended."""
        code = self.exit_code
        if code is not None:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            raise TargetError(
                "workerd ended unexpectedly",
                why=f"{how}; its last words: {self.read_log_tail() or '(none)'}",
                tip=f"the whole log is in {self.log}",
            )

    def request(
        self, path: str, *, body: bytes | None = None, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        """POST (or GET without a body) and return status and body.

        Raises TargetError when workerd dies on the way or does not answer in time.
        """
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        try:
            connection.request("GET" if body is None else "POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # A reset connection is the first sign of an end; the exit code follows in a moment.
                self._process.wait(1.0)
            self.check_alive()
            raise TargetError(
                "workerd does not answer",
                why=f"{error or type(error).__name__}; last lines of its log: "
                f"{self.read_log_tail() or '(none)'}",
                tip=f"the whole log is in {self.log}",
            ) from error
        finally:
            connection.close()

    def stop(self) -> None:
        """End workerd: first gently, so that it closes its databases, then by force."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._watcher.kill()
        self._watcher.wait()
        if self._watcher.stdin:
            self._watcher.stdin.close()


def _open_log(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise TargetError(
            f"The log {path} cannot be written",
            why=str(error.strerror),
            tip="check the permissions of its folder and the free space",
        ) from error


def _spawn(launch: Launch, socket_fd: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    options = ["--binary"] if launch.config.suffix == ".bin" else []
    options += ["--experimental"] if launch.experimental else []
    folders = [f"--directory-path={name}={path}" for name, path in launch.folders.items()]
    folders += [f"--external-addr={name}={addr}" for name, addr in launch.addresses.items()]
    command = [str(launch.workerd), "serve", *options, f"--socket-fd=http={socket_fd}", *folders]
    try:
        return subprocess.Popen(
            [*command, str(launch.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(socket_fd,),
            env={**_inherited(), **_ALLOCATOR, **launch.variables},
            start_new_session=True,  # Ctrl-C reaches edgelift alone, which stops workerd gently
        )
    except OSError as error:
        raise TargetError(
            "workerd cannot be started",
            why=f"{launch.workerd}: {error.strerror}",
            tip="remove the toolchain cache and run again: it is downloaded anew",
        ) from error


def _inherited() -> dict[str, str]:
    """Return what workerd needs of this environment; the user's secrets stay here."""
    kept = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _watch(pid: int) -> subprocess.Popen[bytes]:
    """Start a shell that waits for the end of a pipe only this process holds, then kills workerd.

    The pipe ends with this process even on kill -9; a death signal (prctl) would follow the thread
    that started workerd instead.
    """
    return subprocess.Popen(
        [shutil.which("sh") or "/bin/sh", "-c", 'read -r _; kill -KILL "$1"', "edgelift", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def run_workerd(launch: Launch) -> Iterator[WorkerdProcess]:
    """Run workerd for the length of a block."""
    process = WorkerdProcess(launch)
    try:
        yield process
    finally:
        process.stop()
