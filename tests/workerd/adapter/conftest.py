"""Apps on edgelift's own adapter in workerd: one site of packages, one worker per app and session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgelift.targets.packages import install_packages, resolve_packages
from edgelift.targets.workerd import BundleSpec, Worker, build_bundle, start_worker
from edgelift.toolchain import Toolchain

APPS = Path(__file__).parents[2] / "apps"
PACKAGES = (
    "flask",
    "flask-sqlalchemy",
    "asgiref",
    "apscheduler<4",
    "fastapi",
    "python-multipart",
    "workers-runtime-sdk",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain) -> Path:
    cache = toolchain.root.parent
    resolution = resolve_packages(PACKAGES, exclude=(), include=(), cache=cache, note=print)
    folder = tmp_path_factory.mktemp("site") / "packages"
    install_packages(resolution, folder, cache=cache)
    return folder


@dataclass
class Lifted:
    """A lifted app in a running worker."""

    worker: Worker
    client: httpx.Client
    snapshot_error: str

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def get_json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.text, self.worker.read_log_tail())
        return answer.json()

    def get_together(self, paths: Sequence[str], at_once: int = 16) -> list[httpx.Response]:
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.get, paths))


Lift = Callable[..., Lifted]


@pytest.fixture(scope="session")
def lift(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain, site: Path
) -> Iterator[Lift]:
    opened: list[Lifted] = []

    def make(app: Path, framework: str, **settings: Any) -> Lifted:
        folder = tmp_path_factory.mktemp("lifted")
        document = {"framework": framework, "entry": "app:app", "root": "/app", **settings}
        spec = BundleSpec(app_dir=app, site_packages=site, settings=document)
        bundle = build_bundle(spec, folder / "runtime", toolchain, print)
        worker = start_worker(
            bundle, state=folder / "state", env={}, log=folder / "worker.log", toolchain=toolchain
        )
        client = httpx.Client(
            base_url=worker.url, timeout=60, limits=httpx.Limits(max_connections=32)
        )
        opened.append(Lifted(worker, client, bundle.snapshot_error))
        return opened[-1]

    yield make
    for lifted in opened:
        lifted.client.close()
        lifted.worker.stop()


@pytest.fixture(scope="session")
def flask_app(lift: Lift) -> Lifted:
    jobs = [
        {"name": "declared", "schedule": "*/5 * * * *", "call": "app:declared"},
        {"name": "ticker", "schedule": "*/5 * * * *", "call": ""},
        {"name": "failing", "schedule": "0 0 * * *", "call": "app:failing"},
        {"name": "unknown", "schedule": "0 0 * * *", "call": ""},
    ]
    return lift(APPS / "overlapping", "flask", jobs=jobs)


@pytest.fixture(scope="session")
def fastapi_app(lift: Lift) -> Lifted:
    return lift(APPS / "async_notes", "fastapi")
