"""Overlapping requests in one isolate: who sees what, who waits for whom, and nothing breaks."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from .conftest import Lifted

pytestmark = pytest.mark.workerd


def test_each_request_has_its_own_values(flask_app: Lifted) -> None:
    answers = [a.json() for a in flask_app.get_together([f"/own/{n}" for n in range(16)])]
    idents = [answer.pop("ident") for answer in answers]
    assert answers == [{**dict.fromkeys(answers[0], True)}] * 16
    assert flask_app.get_json("/peak/own") > 1  # else nothing was tested
    assert len(set(idents)) > 1


def test_requests_that_do_not_overlap_run_on_one_thread(flask_app: Lifted) -> None:
    assert len({flask_app.get_json(f"/own/{n}")["ident"] for n in range(3)}) == 1


@pytest.mark.parametrize("kind", ["lock", "rlock", "semaphore"])
def test_a_lock_lets_one_in(flask_app: Lifted, kind: str) -> None:
    answers = flask_app.get_together([f"/inside/{kind}"] * 8)
    assert {answer.text for answer in answers} == {"ok"}
    assert flask_app.get_json(f"/peak/{kind}") == 1


def test_an_rlock_can_be_taken_again(flask_app: Lifted) -> None:
    assert {answer.text for answer in flask_app.get_together(["/again"] * 8)} == {"ok"}


def test_streams_keep_their_context(flask_app: Lifted) -> None:
    answers = flask_app.get_together([f"/stream/{n}" for n in range(8)])
    expected = ["".join(f"{n}:{n}:{part};" for part in range(3)) for n in range(8)]
    assert [answer.text for answer in answers] == expected


def test_threads_run_to_their_end(flask_app: Lifted) -> None:
    answer = flask_app.get_json("/threads")
    assert sorted(answer["found"]) == [[n, f"worker-{n}"] for n in range(3)]
    assert answer["alive"] == [False] * 3
    assert answer["mine"] is False


def test_a_pool_of_the_module_serves_all_requests(flask_app: Lifted) -> None:
    for answer in flask_app.get_together(["/pool"] * 4):
        assert answer.json() == [n * n for n in range(8)]
    assert flask_app.get("/pool/error").text == "ZeroDivisionError"
    assert 1 < flask_app.get_json("/peak/pool") <= 4


def test_queues_timers_and_timeouts(flask_app: Lifted) -> None:
    answer = flask_app.get_json("/queue")
    assert (answer["answers"], answer["last"]) == ([0, 2, 4, 6], "done")
    assert flask_app.get_json("/timeout") == {"lock": False, "never": False, "event": True}


def test_a_thread_outlives_its_request(flask_app: Lifted) -> None:
    before = flask_app.get_json("/later")
    for _ in range(200):
        if flask_app.get_json("/started").count("later") > before:
            return
        flask_app.get("/session")
    pytest.fail("the thread did not end")


def test_coroutines_in_synchronous_code(flask_app: Lifted) -> None:
    assert flask_app.get_json("/async") == [[1, 2], "/async"]
    assert flask_app.get("/run").text == "seen"
    assert {a.status_code for a in flask_app.get_together(["/async", "/run"] * 8)} == {200}


def test_several_stacks_wait_for_one_promise(flask_app: Lifted) -> None:
    assert {a.text.strip() for a in flask_app.get_together(["/shared"] * 8)} == {"3"}


def test_sessions_of_the_database_are_separate(flask_app: Lifted) -> None:
    answers = [a.json() for a in flask_app.get_together([f"/notes/n{n}" for n in range(8)], 4)]
    assert [answer["mine"] for answer in answers] == [[f"n{n}"] for n in range(8)]


def test_a_pool_of_one_connection_is_handed_on(flask_app: Lifted) -> None:
    answers = flask_app.get_together(["/scoped"] * 12)
    assert [answer.text.strip() for answer in answers] == ["true"] * 12
    assert flask_app.get_json("/peak/connection") == 1


def test_garbage_and_waits_do_not_destroy_the_isolate(flask_app: Lifted) -> None:
    paths = ["/garbage"] * 1500 + ["/collect", "/pool", "/own/x"] * 50
    answers = Counter(answer.status_code for answer in flask_app.get_together(paths))
    assert answers == {200: len(paths)}
    assert flask_app.get_json("/collect") == {"enabled": True, "disabled": False}


def test_threads_of_the_import(flask_app: Lifted) -> None:
    assert flask_app.snapshot_error == ""
    assert flask_app.get_json("/imported") == [[2], True]


def test_a_client_that_leaves_does_not_keep_the_lock(flask_app: Lifted) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", flask_app.worker.port)) as client:
            client.sendall(b"GET /inside/lock HTTP/1.1\r\nHost: x\r\n\r\n")
            flask_app.get("/plain")
    assert {answer.text for answer in flask_app.get_together(["/inside/lock"] * 4)} == {"ok"}
