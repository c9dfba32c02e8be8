"""A pytest plugin for SQLAlchemy's own tests: the Worker's sqlite3 in place, results as JSON.

Neither D1 nor an object attaches a second database, so tests of schemas (ATTACH) are skipped.
"""

import json
import os
from pathlib import Path

import pytest
import suite_rows
from sqlite_transport import LostRollbacks, describe_error, driver, put_in_place

DRIVERS = ("pysqlite", "aiosqlite")
PATHS = ("/suite/main.db", *(f"/suite/main_{name}.db" for name in DRIVERS))
put_in_place({path: f"DB_{number}" for number, path in enumerate(PATHS)})


class Connection(driver.Connection):
    """Passes over the ATTACH that SQLAlchemy's tests begin each connection with."""

    def execute(self, sql, parameters=(), /):
        if sql.startswith("ATTACH DATABASE"):
            return self.cursor()
        return super().execute(sql, parameters)


_connect = driver.connect


def connect(database, *arguments, **named):
    if str(database).startswith("/suite/"):
        named.setdefault("factory", Connection)
    return _connect(database, *arguments, **named)


driver.connect = driver.dbapi2.connect = connect


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    from sqlalchemy.testing import config, exclusions

    suite_rows.install(Connection, rolls_back=os.environ["SUITE_STRATEGY"] != "d1")
    requirements = type(config.requirements)
    for name in (
        "schemas",
        "cross_schema_fk_reflection",
        "temp_table_reflection",
        "temporary_tables",
        "temporary_views",
        "temp_table_names",
        "temp_table_reflect_indexes",
        "temp_table_comment_reflection",
    ):
        setattr(requirements, name, property(lambda self: exclusions.closed()))


class Results:
    """What became of each test; one that fails in its clean-up has failed."""

    def __init__(self):
        self.outcomes = {}
        self.seconds = {}
        self.lost = LostRollbacks()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.lost.forget()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self):
        suite_rows.Cleaning.on = True
        try:
            return (yield)
        finally:
            suite_rows.Cleaning.on = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        file = item.nodeid.partition("::")[0]
        self.seconds[file] = self.seconds.get(file, 0.0) + call.duration
        if report.failed and call.excinfo is not None:
            self.outcomes.setdefault(item.nodeid, ["failed", ""])
            if self.outcomes[item.nodeid][0] != "failed" or not self.outcomes[item.nodeid][1]:
                why = self.lost.explain() or describe_error(call.excinfo.value)
                self.outcomes[item.nodeid] = ["failed", why]
        elif report.failed:
            self.outcomes[item.nodeid] = ["failed", "passes, which was not expected"]
        else:
            self.outcomes.setdefault(item.nodeid, [report.outcome, ""])
            if report.skipped:
                self.outcomes[item.nodeid] = ["skipped", ""]
        return report

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes[f"{report.nodeid}::import"] = ["failed", str(report.longrepr)[-160:]]

    def pytest_sessionfinish(self):
        files = {}
        for name, (outcome, why) in self.outcomes.items():
            file, _, test = name.partition("::")
            empty = {"passed": 0, "skipped": 0, "failed": {}, "seconds": self.seconds.get(file, 0)}
            found = files.setdefault(file, empty)
            if outcome == "failed":
                found["failed"][test] = why
            else:
                found[outcome] += 1
        Path(os.environ["SUITE_RESULT"]).write_text(json.dumps(files))


def pytest_configure(config):
    config.pluginmanager.register(Results())
