"""What the lines of mysqlclient's cases use: connections, cursors, and short ways to run."""

import datetime as dt
import decimal
import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from urllib.parse import urlsplit

import MySQLdb
import MySQLdb.constants.CLIENT
import MySQLdb.constants.CR
import MySQLdb.constants.ER
import MySQLdb.constants.FIELD_TYPE
import MySQLdb.constants.FLAG
import MySQLdb.converters
import MySQLdb.cursors
import MySQLdb.times

D = Decimal
cursors, converters = MySQLdb.cursors, MySQLdb.converters
CLIENT, FIELD_TYPE, FLAG = MySQLdb.constants.CLIENT, MySQLdb.constants.FIELD_TYPE, MySQLdb.constants.FLAG
ER, CR = MySQLdb.constants.ER, MySQLdb.constants.CR
_parts = urlsplit(URL)


def connect(**options):
    """Open another connection to the same database."""
    given = {"host": _parts.hostname, "port": _parts.port, "user": "root", "database": _parts.path.strip("/"), "charset": "utf8mb4"}
    given.update(options)
    return MySQLdb.connect(**given)


def refused(**options):
    """Return the class of the error that connecting ends with."""
    try:
        connect(**options)
    except Exception as error:
        return type(error)


c = connect()
other = connect(autocommit=True)
k = c.cursor()


def q(statement, arguments=None, cursor=None):
    """Run a statement: rows, columns, counts, the cursor's last id and the warnings."""
    run = cursor or k
    given = run.execute(statement, arguments)
    rows = run.fetchall() if run.description is not None else None
    columns = [(d[0], d[1], d[6]) for d in run.description or ()]
    return given, rows, columns, run.rowcount, run.lastrowid, c.warning_count()


def v(expression, *arguments):
    """Return a single value."""
    k.execute(f"SELECT {expression}", arguments or None)
    return k.fetchone()[0]


def described(expression):
    """Return the description of a column without its sizes, with its flags."""
    k.execute(f"SELECT {expression}")
    k.fetchall()
    name, kind, _, length, _, scale, null_ok = k.description[0]
    return name, kind, length, scale, null_ok, k.description_flags[0]


def seen(query):
    """Return what another connection sees."""
    with other.cursor() as reader:
        reader.execute(query)
        return reader.fetchall()


def sent(arguments, statement="%s"):
    """Return the text that binding gives."""
    return k.mogrify(statement, arguments) if hasattr(k, "mogrify") else c.literal(arguments)


def w(kind, value):
    """Store a value in a column of a type: what comes back, its description and the warnings."""
    k.execute("DROP TABLE IF EXISTS w")
    k.execute(f"CREATE TABLE w(v {kind})")
    k.execute("INSERT INTO w VALUES(%s)", (value,))
    warnings = c.warning_count()
    k.execute("SELECT v FROM w")
    return k.fetchone(), k.description[0][1], k.description[0][4:6], k.description_flags, warnings
