"""Django's test runner for tests that use a database; writes what became of each, by module.

SUITE_RESULT names the file. Tests without a database say nothing of a driver and are left out.
"""

import json
import os
import time
import unittest
from pathlib import Path

from django.db.backends.sqlite3.features import DatabaseFeatures
from django.db.backends.sqlite3.operations import DatabaseOperations
from django.test import TransactionTestCase
from django.test.runner import DiscoverRunner
from django.test.utils import iter_test_cases
from sqlite_transport import LostRollbacks, describe_error

lost_rollbacks = LostRollbacks()


def flush_at_once(operations, statements):
    """Empty tables in one batch of D1, at whose end foreign keys are checked."""
    with operations.connection.cursor() as cursor:
        script = ";".join(
            ["PRAGMA defer_foreign_keys=ON", *(sql.rstrip(";") for sql in statements)]
        )
        cursor.connection.executescript(script)


if os.environ["SUITE_STRATEGY"] == "d1":
    # As for MySQL's MyISAM: Django's tests then empty the tables instead of rolling back.
    DatabaseFeatures.supports_transactions = False
    DatabaseOperations.execute_sql_flush = flush_at_once


def uses_database(test):
    failed_import = not hasattr(test, "databases") and type(test).__name__ == "_FailedTest"
    return isinstance(test, TransactionTestCase) or bool(getattr(test, "databases", failed_import))


class Recorder(unittest.TextTestResult):
    """Counts, and keeps why a test failed: by its module's first name."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.modules = {}
        self.began = time.monotonic()

    def _module(self, test):
        name = test.id()
        if "(" in name:  # setUpClass (module.Class)
            name = name.partition("(")[2]
        empty = {"passed": 0, "skipped": 0, "failed": {}, "seconds": 0}
        return self.modules.setdefault(name.partition(".")[0], empty)

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        lost_rollbacks.forget()

    def stopTest(self, test):
        super().stopTest(test)
        self._module(test)["seconds"] += time.monotonic() - self.began

    def addSuccess(self, test):
        super().addSuccess(test)
        self._module(test)["passed"] += 1

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._module(test)["passed"] += 1

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not isinstance(test, unittest.case._SubTest):
            self._module(test)["skipped"] += 1

    def _note(self, test, error):
        self._module(test)["failed"][test.id()] = lost_rollbacks.explain() or describe_error(error)

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, err[1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, err[1])

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, err[1])


class DatabaseRunner(DiscoverRunner):
    """Runs what uses a database."""

    def build_suite(self, *arguments, **named):
        suite = super().build_suite(*arguments, **named)
        return self.test_suite(test for test in iter_test_cases(suite) if uses_database(test))

    def get_resultclass(self):
        return Recorder

    def run_suite(self, suite, **named):
        result = super().run_suite(suite, **named)
        Path(os.environ["SUITE_RESULT"]).write_text(json.dumps(result.modules))
        return result

    def teardown_databases(self, old_config, **named):
        """Leave them: no file of theirs is there to remove."""
