"""Puts the Worker's sqlite3 in place in a suite's process, over HTTP to a workerd (the environment says which)."""

import http.client
import logging
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.environ["SUITE_SOURCE"])
from edgelift.worker import sqlite3 as driver

IDLE_S = 1  # workerd closes connections that wait for some seconds
# Longer than a Worker's (sql_session.mjs): a busy machine is no fault of a test's.
LIMITS = "idle=25000&longest=28000"


class Server:
    """Keeps a connection to workerd for each thread."""

    def __init__(self, port):
        self.port = port
        self.kept = threading.local()

    def ask(self, path, body):
        now = time.monotonic()
        if now - getattr(self.kept, "used", 0) > IDLE_S:
            if hasattr(self.kept, "connection"):
                self.kept.connection.close()
            self.kept.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection = self.kept.connection
        connection.request("POST", path, body.encode())
        answer = connection.getresponse()
        text = answer.read().decode()
        self.kept.used = time.monotonic()
        if answer.status != 200:
            self.kept.used = 0
            raise RuntimeError(text)
        return text

    def send(self, binding, request):
        return self.ask(f"/{binding}", request)


class LostRollbacks(logging.Handler):
    """Hears of rollbacks that D1 could not do: a test that needs one cannot pass there."""

    def __init__(self):
        super().__init__()
        self.texts = []
        logging.getLogger("edgelift.sqlite3").addHandler(self)

    def emit(self, record):
        text = record.getMessage()
        if "LOST ROLLBACK" in text:
            self.texts.append(text)

    def forget(self):
        self.texts.clear()

    def explain(self):
        """Return what a failed test is put down to when a rollback was lost in it, else None."""
        return "LOST ROLLBACK" if self.texts else None


def describe_error(error):
    """Return an error as one short line that is the same at every run."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    text = re.sub(r"(/[\w.-]+)+/(?=[\w.-]+\.py)", "", text)  # folders of the machine that ran it
    return re.sub(r"0x[0-9a-f]+", "0x", text)[:160]


class Carrier:
    """Carries the driver's messages to sessions that the test Worker holds (tests/workerd/sql_object)."""

    def __init__(self, server):
        self.server = server

    def send_message(self, call, message):
        flags = f"{'begins&' if call.begins else ''}busy={call.busy_ms}&{LIMITS}"
        return self.server.ask(f"/session/{call.binding}/{call.number}?{flags}", message)

    def abandon(self, call):
        self.server.ask(f"/session/{call.binding}/{call.number}?abandon", "")

    def is_open(self, number):
        return True

    def read_request(self):
        return 1


def put_in_place(paths):
    """Make these paths databases of workerd, each by the name in it."""
    server = Server(int(os.environ["SUITE_PORT"]))
    strategy = os.environ["SUITE_STRATEGY"]
    databases = [
        {"binding": binding, "path": path, "strategy": strategy} for path, binding in paths.items()
    ]
    driver.install(databases, server, Carrier(server))
