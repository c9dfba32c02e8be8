"""Shared by the tests that start workerd: the toolchain, and bundles of small apps on the protocol adapter."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgelift.targets.workerd import Bundle, BundleSpec, Worker, build_bundle, start_worker
from edgelift.toolchain import Toolchain, ensure_toolchain

ADAPTER = Path(__file__).parent / "protocol_adapter"
PATIENCE_S = 120  # Python may start slowly on a busy machine; it only ends a test that hangs


def get(url: str, **options: Any) -> httpx.Response:
    return httpx.get(url, timeout=PATIENCE_S, **options)


def post(url: str, **options: Any) -> httpx.Response:
    return httpx.post(url, timeout=PATIENCE_S, **options)


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    return ensure_toolchain()


@dataclass
class Workshop:
    """A folder with an app, from which a test builds and starts."""

    folder: Path
    toolchain: Toolchain
    notes: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ()

    @property
    def app(self) -> Path:
        return self.folder / "app"

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def write(self, source: str, name: str = "app.py") -> None:
        target = self.app / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, "utf-8")

    def spec(self) -> BundleSpec:
        (self.folder / "site").mkdir(exist_ok=True)
        public = self.folder / "public"
        return BundleSpec(
            app_dir=self.app,
            site_packages=self.folder / "site",
            settings={
                "entry": "app",
                "root": "/app",
                "databases": [{"binding": b} for b in self.databases],
            },
            env=self.env,
            public_dir=public if public.exists() else None,
            adapter=ADAPTER,
        )

    def build(self) -> Bundle:
        return build_bundle(self.spec(), self.folder / "runtime", self.toolchain, self.notes.append)

    def start(
        self, bundle: Bundle, *, port: int = 0, env: Mapping[str, str] | None = None
    ) -> Worker:
        return start_worker(
            bundle,
            state=self.folder / "state",
            port=port,
            env=dict(env or {}),
            log=self.log,
            toolchain=self.toolchain,
        )


@pytest.fixture
def workshop(tmp_path: Path, toolchain: Toolchain) -> Workshop:
    return Workshop(tmp_path, toolchain)


@pytest.fixture(scope="session")
def new_workshop(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain
) -> Callable[[str], Workshop]:
    def make(source: str) -> Workshop:
        shop = Workshop(tmp_path_factory.mktemp("shop"), toolchain)
        shop.write(source)
        return shop

    return make


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One keep-alive connection to a worker."""

    def __init__(self, worker: Worker) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=PATIENCE_S)

    def send(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.connection.request(method, path, body, dict(headers or {}))  # type: ignore[arg-type]
        answer = self.connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, answer.read())


@pytest.fixture
def connect() -> Iterator[Callable[[Worker], Client]]:
    clients: list[Client] = []

    def make(worker: Worker) -> Client:
        clients.append(Client(worker))
        return clients[-1]

    yield make
    for client in clients:
        client.connection.close()
