"""The report in a real browser: nothing sticks out at phone width, and both colour schemes are drawn."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.stages.report import render
from edgelift.stages.report.document import Document, Latency, StageLine, TableLine

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
]
PROBE = """<!doctype html><title>wait</title><iframe src="report.html" style="width:%dpx;height:4000px"></iframe>
<script>onload = () => { const page = document.querySelector('iframe').contentDocument.documentElement;
document.title = page.scrollWidth + '/' + page.clientWidth; }</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; .ci/run installs it")


@pytest.fixture
def site(tmp_path: Path):
    checks = tuple(
        Check(
            id=f"verify.{'part' * n}",
            stage="verify",
            title="A title of some length " * n,
            status=status,
            evidence="412 of 412 requests alike " * n,
            reproduce="edgelift verify a/rather/long/path/of/a/backend --only verify.part",
            detail=("GET /api/" + "x" * 200 + " -> body.items[3].score: 0.4132 != 0.4133",),
            counts={"requests": 412},
        )
        for n, status in enumerate(Status, 1)
    )
    document = Document(
        format=1,
        edgelift="0.1.0",
        project="a-project-with-a-name-that-does-not-end-soon",
        generated="2026-01-01T00:00:00+00:00",
        verdict="FAIL",
        stages=(StageLine(name="verify", status="failed", summary="", duration_s=3.0, error="no"),),
        checks=checks,
        findings=(
            Finding(
                rule="R", level=Level.WARNING, message="m " * 80, path="p/" * 60 + "a.py", line=1
            ),
        ),
        tables=(TableLine(database="main", table="t" * 60, rows=9, hash="a" * 32),),
        latency=(
            Latency(
                check="verify.parity",
                requests=412,
                origin_p50_s=0.001,
                origin_p95_s=0.002,
                target_p50_s=0.0015,
                target_p95_s=0.004,
            ),
        ),
        totals={"rows": 112_345, "bytes": 17_000_000, "requests": 412, "files": 4},
    )
    for name, text in render(document).items():
        (tmp_path / name).write_text(text)
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


def browse(folder: Path, *arguments: str) -> str:
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *FLAGS, profile, *arguments], capture_output=True, check=True, timeout=120
    )
    return done.stdout.decode()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_sticks_out(site: tuple[Path, str], width: int) -> None:
    folder, url = site
    (folder / "probe.html").write_text(PROBE % width)
    dom = browse(folder, "--window-size=1400,1000", "--dump-dom", f"{url}/probe.html")
    title = dom.split("<title>")[1].split("</title>")[0]
    scrolled, visible = map(int, title.split("/"))
    assert visible <= width
    assert scrolled <= visible


def test_a_page_that_sticks_out_is_caught(site: tuple[Path, str]) -> None:
    folder, url = site
    page = folder / "report.html"
    page.write_text(page.read_text().replace("<main>", '<main><div style="width:900px">x</div>'))
    (folder / "probe.html").write_text(PROBE % 390)
    dom = browse(folder, "--window-size=1400,1000", "--dump-dom", f"{url}/probe.html")
    scrolled, visible = map(int, dom.split("<title>")[1].split("</title>")[0].split("/"))
    assert scrolled > visible


def test_light_and_dark_are_different_pictures(site: tuple[Path, str]) -> None:
    folder, url = site
    pictures = []
    for scheme in ("light", "dark"):
        picture = folder / f"{scheme}.png"
        browse(
            folder,
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            "--window-size=390,900",
            f"--screenshot={picture}",
            f"{url}/report.html",
        )
        pictures.append(picture.read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
