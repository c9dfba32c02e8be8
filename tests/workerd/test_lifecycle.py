"""Build and life of a worker: rebuilds, snapshot and fallback, crashes, ports, the death of the parent."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from edgelift.errors import TargetError
from edgelift.targets.workerd import read_bundle

from .conftest import Client, Workshop, get

pytestmark = pytest.mark.workerd

HELLO = """
import os, time
MADE = os.environ.get("MADE")
NUMBER = 7
def index(request):
    return 200, "content-type\\ntext/plain\\nx-made\\n" + str(MADE), f"hello {NUMBER}".encode()
"""
KEEPS_A_JS_OBJECT = HELLO + "\nimport js\nkept = js.Object.new()\n"


def fetch(shop: Workshop) -> tuple[int, dict[str, str], bytes]:
    bundle = shop.build()
    with shop.start(bundle) as worker:
        answer = get(worker.url)
        assert worker.info()["snapshot"] == bundle.snapshot
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


def test_snapshot_and_fallback_answer_alike(workshop: Workshop) -> None:
    workshop.env = {"MADE": "at build"}
    workshop.write(HELLO)
    with_snapshot = fetch(workshop)
    bundle = read_bundle(workshop.folder / "runtime")
    assert bundle is not None
    assert bundle.snapshot

    workshop.write(KEEPS_A_JS_OBJECT)
    bundle = workshop.build()
    assert not bundle.snapshot
    assert "JavaScript object" in bundle.snapshot_error
    with workshop.start(bundle, env={"MADE": "at build"}) as worker:
        answer = get(worker.url)
    assert (answer.status_code, dict(answer.headers), answer.content) == with_snapshot


def test_an_unchanged_build_is_kept_and_a_changed_one_is_not(workshop: Workshop) -> None:
    workshop.write(HELLO)
    first = workshop.build()
    stamp = (first.out / "bundle.json").stat().st_mtime_ns
    notes = len(workshop.notes)
    assert workshop.build() == first
    assert (first.out / "bundle.json").stat().st_mtime_ns == stamp
    assert len(workshop.notes) == notes

    workshop.write(HELLO.replace("NUMBER = 7", "NUMBER = 8"))
    assert fetch(workshop)[2] == b"hello 8"
    workshop.env = {"MADE": "anew"}
    assert fetch(workshop)[1]["x-made"] == "anew"


def test_what_a_killed_build_left_behind_is_removed(workshop: Workshop) -> None:
    workshop.write(HELLO)
    left = workshop.folder / ".runtime-build" / "boot-old" / "files"
    left.mkdir(parents=True)
    (left / "files.pack").write_bytes(b"half")
    workshop.build()
    assert sorted(p.name for p in workshop.folder.iterdir()) == [
        "app",
        "runtime",
        "runtime-build.log",
        "site",
    ]


def test_an_app_that_raises_at_import_gives_500_and_is_tried_again(workshop: Workshop) -> None:
    workshop.write(
        """
        import os
        if os.environ.get("READY") != "1":
            os.environ["READY"] = "1"
            raise RuntimeError("no database yet")
        def index(request):
            return 200, "", b"up"
        """.replace("\n        ", "\n")
    )
    bundle = workshop.build()
    assert not bundle.snapshot
    assert bundle.snapshot_error == "RuntimeError: no database yet"
    assert 'File "/app/app.py", line 5' in bundle.traceback
    with workshop.start(bundle) as worker:
        for _ in range(
            2
        ):  # every start is a fresh interpreter, so it fails again, and says so again
            answer = get(worker.url)
            assert answer.status_code == 500
            assert answer.text == "The app could not be started. The log has the traceback.\n"
        assert worker.log.read_text().count("RuntimeError: no database yet") == 2
        with pytest.raises(TargetError, match="no database yet"):
            worker.warm()
    with workshop.start(bundle, env={"READY": "1"}) as worker:
        assert get(worker.url).text == "up"


def test_an_import_that_destroys_the_interpreter_is_a_reason_not_a_failure(
    workshop: Workshop,
) -> None:
    workshop.write("import ctypes\nctypes.string_at(0xFFFFFFF0, 8)\n")
    bundle = workshop.build()
    assert "memory access out of bounds" in bundle.snapshot_error
    with workshop.start(bundle) as worker:
        assert get(worker.url).status_code == 500
        assert "memory access out of bounds" in worker.log.read_text()


def test_random_bytes_at_import_are_noted(workshop: Workshop) -> None:
    workshop.write(HELLO + "\nimport secrets\nKEY = os.urandom(16)\n")
    bundle = workshop.build()
    assert bundle.snapshot
    assert [note.partition(" ")[0] for note in bundle.notes] == ["app.py:9"]


def test_a_ctypes_callback_at_import_falls_back_and_then_works(workshop: Workshop) -> None:
    workshop.write(
        HELLO
        + """
import ctypes
KIND = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_int, ctypes.c_double)
CALL = KIND(lambda a, b, c: a + b + c)
def call(request):
    return 200, "", str(CALL(1.5, 2, 3.0)).encode()
"""
    )
    bundle = workshop.build()
    assert "a ctypes callback" in bundle.snapshot_error
    with workshop.start(bundle) as worker:
        assert get(f"{worker.url}/call").text == "6.5"


def test_a_crash_is_reported_with_the_last_lines_of_the_log(workshop: Workshop) -> None:
    workshop.write(
        HELLO + "\ndef speak(request):\n    print('last words')\n    return 200, '', b''\n"
    )
    with workshop.start(workshop.build()) as worker:
        get(f"{worker.url}/speak")
        worker.check_alive()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(TargetError, match=r"(?s)SIGKILL.*last words"):
            worker.info()
        with pytest.raises(TargetError, match="last words"):
            worker.check_alive()


def test_a_taken_port_is_a_three_line_error(workshop: Workshop) -> None:
    workshop.write(HELLO)
    bundle = workshop.build()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetError) as caught:
            workshop.start(bundle, port=port)
    assert caught.value.lines() == [
        f"Port {port} cannot be used",
        "another program listens on it",
        "Tip: choose another port, or 0 to let the system choose one",
    ]
    with workshop.start(bundle, port=port) as worker:
        assert worker.url == f"http://127.0.0.1:{port}"
        assert get(worker.url).status_code == 200


def test_a_damaged_snapshot_is_reported(workshop: Workshop) -> None:
    workshop.write(HELLO)
    bundle = workshop.build()
    (bundle.out / "files" / "snapshot.bin").unlink()
    with workshop.start(bundle) as worker:
        assert get(worker.url).status_code == 500
        assert "snapshot.bin cannot be read: HTTP 404" in worker.log.read_text()


def test_a_damaged_config_is_reported(workshop: Workshop) -> None:
    workshop.write(HELLO)
    bundle = workshop.build()
    (bundle.out / "config.bin").write_bytes(b"nothing useful")
    with pytest.raises(TargetError, match="workerd ended unexpectedly"):
        workshop.start(bundle)


def test_workerd_dies_with_a_parent_that_is_killed(workshop: Workshop) -> None:
    workshop.write(HELLO)
    workshop.build()
    program = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from edgelift.targets.workerd import read_bundle, start_worker
        from edgelift.toolchain import ensure_toolchain
        folder = Path({str(workshop.folder)!r})
        worker = start_worker(read_bundle(folder / "runtime"), state=folder / "state", env={{}},
                              log=folder / "worker.log", toolchain=ensure_toolchain())
        print(worker.pid, flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        pid = json.loads(parent.stdout.readline())
        ended = os.pidfd_open(pid)
        assert select.select([ended], [], [], 0)[0] == []
        parent.kill()
        parent.wait()
    assert select.select([ended], [], [], 30)[0] == [ended]
    os.close(ended)


def test_static_files_answer_before_python(
    workshop: Workshop, connect: Callable[..., Client]
) -> None:
    workshop.write(HELLO)
    public = workshop.folder / "public"
    (public / "static").mkdir(parents=True)
    (public / "static" / "a b.css").write_text("body{}")
    (public / "static" / "empty.txt").write_text("")
    (public / "_headers").write_text("/*\n  x: y\n")
    (workshop.folder / "secret.txt").write_text("secret")
    with workshop.start(workshop.build()) as worker:
        client = connect(worker)
        answer = client.send("/static/a%20b.css")
        assert (answer.status, answer.body) == (200, b"body{}")
        assert answer.headers["content-type"] == "text/css; charset=utf-8"
        etag = answer.headers["etag"]
        for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = client.send("/static/a%20b.css", headers={"if-none-match": condition})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
        assert client.send("/static/a%20b.css", headers={"if-none-match": '"no"'}).status == 200
        head = client.send("/static/a%20b.css", "HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "6")
        assert client.send("/static/a%20b.css", "POST", b"").status == 405
        assert client.send("/static/empty.txt").body == b""
        for path in (
            "/static/../secret.txt",
            "/static/..%2f..%2fsecret.txt",
            "/static/",
            "/_headers",
        ):
            assert client.send(path).status == 404
        assert worker.info()["answered"] == 4
        assert client.send("/static/%ff").status == 404


def test_a_log_that_cannot_be_written_is_a_target_error(workshop: Workshop) -> None:
    workshop.write(HELLO)
    bundle = workshop.build()
    workshop.log.mkdir()
    with pytest.raises(TargetError, match=r"worker\.log cannot be written"):
        workshop.start(bundle)


def test_a_missing_app_folder_is_a_target_error(workshop: Workshop) -> None:
    with pytest.raises(TargetError, match="does not exist"):
        workshop.build()


def test_side_modules_are_restored_from_a_snapshot(workshop: Workshop, tmp_path: Path) -> None:
    from edgelift.targets.packages import install_packages, resolve_packages

    cache = tmp_path / "packages"
    resolution = resolve_packages(["msgspec"], exclude=(), include=(), cache=cache, note=print)
    install_packages(resolution, workshop.folder / "site", cache=cache, note=print)
    workshop.write(
        """
import msgspec
class Point(msgspec.Struct):
    x: int
DECODER = msgspec.json.Decoder(Point)
def index(request):
    return 200, "", str(DECODER.decode(b'{"x": 5}')).encode()
"""
    )
    bundle = workshop.build()
    assert bundle.snapshot, bundle.snapshot_error
    with workshop.start(bundle) as worker:
        assert get(worker.url).text == "Point(x=5)"


def test_requests_that_come_while_python_starts_all_wait_for_it(workshop: Workshop) -> None:
    import asyncio

    workshop.write(KEEPS_A_JS_OBJECT)
    with workshop.start(workshop.build()) as worker:

        async def load() -> list[tuple[int, str]]:
            async with httpx.AsyncClient(timeout=60) as client:
                answers = await asyncio.gather(*(client.get(worker.url) for _ in range(12)))
            return [(answer.status_code, answer.text) for answer in answers]

        assert asyncio.run(load()) == [(200, "hello 7")] * 12
        assert worker.log.read_text().count("Python started in") == 1


FILES = """
import os, pathlib
os.makedirs("/app/instance/deep", exist_ok=True)
pathlib.Path("/app/instance/deep/new.txt").write_text("made at import")
pathlib.Path("/app/same.txt").write_text("after!")
os.remove("/app/old.txt")
os.chdir("/app/instance")
def index(request):
    found = [pathlib.Path("deep/new.txt").read_text(), pathlib.Path("/app/same.txt").read_text(),
             os.path.exists("/app/old.txt"), os.getcwd()]
    pathlib.Path("deep/later.txt").write_text("x")
    return 200, "", repr(found).encode()
"""


def test_files_changed_at_import_are_as_the_import_left_them(workshop: Workshop) -> None:
    workshop.write(FILES)
    workshop.write("before", "same.txt")
    workshop.write("gone", "old.txt")
    bundle = workshop.build()
    assert bundle.snapshot, bundle.snapshot_error
    with workshop.start(bundle) as worker:
        found = "['made at import', 'after!', False, '/app/instance']"
        assert get(worker.url).text == found


def test_a_file_left_open_at_import_means_no_snapshot(workshop: Workshop) -> None:
    workshop.write(
        HELLO + "\nLOG = open('/tmp/app.log', 'w')\ndef log(r):\n"
        "    LOG.write('x'); LOG.flush()\n    return 200, '', open('/tmp/app.log').read().encode()\n"
    )
    bundle = workshop.build()
    assert "leaves a file open: /tmp/app.log" in bundle.snapshot_error
    with workshop.start(bundle) as worker:
        assert get(f"{worker.url}/log").text == "x"
