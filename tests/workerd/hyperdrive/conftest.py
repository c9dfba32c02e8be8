"""Apps that use database servers, in workerd, before real servers: one of each for all tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgelift.model.server_url import ServerUrl, parse_server_url
from edgelift.targets.packages import OriginUse, install_packages, resolve_packages
from edgelift.targets.workerd import Bundle, BundleSpec, Worker, build_bundle, start_worker
from edgelift.toolchain import Toolchain
from tests.servers.mariadb import MariaDb, start_mariadb
from tests.servers.postgres import PostgresServer, require_postgres, start_postgres

APPS = Path(__file__).parents[2] / "apps"
PACKAGES = (
    "flask", "sqlalchemy", "pg8000", "pymysql", "fastapi", "aiomysql", "psycopg", "psycopg-pool",
    "aiopg", "workers-runtime-sdk", "tzdata",
)  # fmt: skip
PATIENCE_S = 60


def describe(binding: str, engine: str, variable: str, scheme: str, port: int) -> dict[str, Any]:
    """Return a database's part of the settings, as the build makes it."""
    host = f"{binding.lower()}.hyperdrive.local"
    return {
        "name": binding.lower(),
        "binding": binding,
        "strategy": "hyperdrive",
        "engine": engine,
        "env": variable,
        "url": f"{scheme}://hyperdrive:hyperdrive@{host}:{port}/app",
        "servers": [[host, port]],
        "database": "app",
    }


DATABASES = [
    describe("PG", "postgresql", "POSTGRES_URL", "postgresql+pg8000", 5432),
    describe("MY", "mysql", "MYSQL_URL", "mysql+pymysql", 3306),
]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    require_postgres()
    with start_postgres(tls=True) as server:
        server.run("CREATE TABLE seen (id serial PRIMARY KEY, word text)")
        yield server


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder)
    settings = {"ssl-cert": str(folder / "server.crt"), "ssl-key": str(folder / "server.key")}
    with start_mariadb(tmp_path_factory.mktemp("server"), settings) as server:
        server.folder.joinpath("server.crt").write_bytes((folder / "server.crt").read_bytes())
        yield server


def make_certificate(folder: Path) -> None:
    """Make a self-signed certificate for the host name `localhost` alone."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", "server.key", "-out", "server.crt"]
    subprocess.run([*command, *files], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain) -> Path:
    cache = toolchain.root.parent
    folder = tmp_path_factory.mktemp("site") / "packages"
    use = OriginUse(engines=("mysql", "postgresql"))
    resolution = resolve_packages(PACKAGES, cache=cache, note=print, use=use)
    assert [plan.name for plan in resolution.packages if plan.outcome == "refused"] == []
    install_packages(resolution, folder, cache=cache)
    return folder


Build = Callable[..., Bundle]
Start = Callable[..., Worker]


@pytest.fixture(scope="session")
def build(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain, site: Path
) -> Callable[..., Bundle]:
    def make(app: str, framework: str, certificates: tuple[str, ...] = ()) -> Bundle:
        folder = tmp_path_factory.mktemp("bundle")
        settings = {
            "framework": framework,
            "entry": "app:app",
            "root": "/app",
            "databases": DATABASES,
            "drivers": ["asyncpg", "mysqldb", "psycopg", "psycopg2"],
        }
        spec = BundleSpec(
            app_dir=APPS / app, site_packages=site, settings=settings, certificates=certificates
        )
        return build_bundle(spec, folder / "runtime", toolchain, print)

    return make


@pytest.fixture(scope="session")
def trusted(postgres: PostgresServer, mariadb: MariaDb) -> tuple[str, ...]:
    assert postgres.certificate is not None
    return postgres.certificate.read_text(), mariadb.folder.joinpath("server.crt").read_text()


@pytest.fixture(scope="session")
def flask_bundle(build: Build, trusted: tuple[str, ...]) -> Bundle:
    return build("server_sockets", "flask", trusted)


@pytest.fixture(scope="session")
def start(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain
) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def run(bundle: Bundle, servers: Mapping[str, ServerUrl]) -> Worker:
        folder = tmp_path_factory.mktemp("worker")
        workers.append(
            start_worker(
                bundle,
                state=folder / "state",
                env={},
                log=folder / "worker.log",
                toolchain=toolchain,
                servers=servers,
            )
        )
        return workers[-1]

    yield run
    for worker in workers:
        worker.stop()


@pytest.fixture(scope="session")
def servers(postgres: PostgresServer, mariadb: MariaDb) -> dict[str, ServerUrl]:
    found = {"PG": parse_server_url(postgres.url), "MY": parse_server_url(mariadb.url)}
    return {name: url for name, url in found.items() if url is not None}


@pytest.fixture(scope="session")
def client(
    start: Start, flask_bundle: Bundle, servers: dict[str, ServerUrl]
) -> Iterator[httpx.Client]:
    worker = start(flask_bundle, servers)
    limits = httpx.Limits(max_connections=40)
    with httpx.Client(base_url=worker.url, timeout=PATIENCE_S, limits=limits) as opened:
        yield opened


@pytest.fixture(scope="session")
def streams(
    build: Build, start: Start, servers: dict[str, ServerUrl], trusted: tuple[str, ...]
) -> Iterator[httpx.Client]:
    bundle: Bundle = build("async_servers", "fastapi", trusted)
    assert bundle.snapshot, bundle.snapshot_error
    with httpx.Client(base_url=start(bundle, servers).url, timeout=PATIENCE_S) as client:
        yield client
