"""A transaction of a moved server's app reads what others commit until it writes, or locks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from edgelift.worker.sqlite3.object_transaction import ObjectTransaction
from edgelift.worker.sqlite3.object_transport import SqlCall


class Link:
    binding, shard = "DB", ""

    def forget_transaction(self) -> None:
        """Do nothing: there is no schema to forget."""


@dataclass
class Carrier:
    """Notes what is sent, and answers that it was done at version 7."""

    sent: list[tuple[SqlCall, dict[str, Any]]] = field(default_factory=list)

    def send_message(self, call: SqlCall, message: str) -> str:
        self.sent.append((call, json.loads(message)))
        return json.dumps({"version": "7"})

    def abandon(self, call: SqlCall) -> None:
        self.sent.append((call, {"abandon": True}))

    def is_open(self, number: int) -> bool:
        return True

    def read_request(self) -> int:
        return 1


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


def begin(carrier: Carrier, *, watches: bool) -> ObjectTransaction:
    transaction = ObjectTransaction(Link(), carrier, 5000)
    transaction.watches = watches
    transaction.begin()
    return transaction


def ask(transaction: ObjectTransaction, *, writes: bool) -> None:
    transaction.send({"steps": []}, writes=writes)


def test_by_itself_a_write_fails_when_others_wrote_since_the_first_read(carrier: Carrier) -> None:
    transaction = begin(carrier, watches=True)
    ask(transaction, writes=False)
    ask(transaction, writes=True)
    (_, read), (call, write) = carrier.sent
    assert (read["watch"], write["since"], call.begins) == (True, "7", True)


def test_read_committed_asks_for_no_such_thing(carrier: Carrier) -> None:
    transaction = begin(carrier, watches=False)
    ask(transaction, writes=False)
    assert not transaction.started
    ask(transaction, writes=True)
    assert transaction.started
    for _, message in carrier.sent:
        assert {"watch", "since"} & message.keys() == set()


def test_a_lock_takes_the_object_with_the_next_read(carrier: Carrier) -> None:
    transaction = begin(carrier, watches=False)
    ask(transaction, writes=False)
    transaction.lock()
    ask(transaction, writes=False)
    assert [call.begins for call, _ in carrier.sent] == [False, True]
    transaction.roll_back()
    transaction.begin()
    ask(transaction, writes=False)
    assert not transaction.started


def test_outside_of_a_transaction_nothing_is_locked(carrier: Carrier) -> None:
    transaction = ObjectTransaction(Link(), carrier, 5000)
    transaction.lock()
    transaction.begin()
    ask(transaction, writes=False)
    assert not transaction.started
