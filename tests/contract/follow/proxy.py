"""A TCP proxy between follower and server that can go silent: no byte passes, no connection ends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Passes bytes to a port of this machine until it is frozen; later connections pass again."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self._frozen = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._door.getsockname()[1])

    def freeze(self) -> None:
        """Let nothing pass any more over the connections that are open now."""
        frozen, self._frozen = self._frozen, threading.Event()
        frozen.set()

    def close(self) -> None:
        self._door.close()
        for end in self._held:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._held += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=_pass, args=(*pair, self._frozen), daemon=True).start()


def _pass(near: socket.socket, far: socket.socket, frozen: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := near.recv(65536):
            if frozen.is_set():
                continue
            far.sendall(data)
        if not frozen.is_set():
            far.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def open_proxy(port: int) -> Iterator[Proxy]:
    """Run a proxy to a port."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
