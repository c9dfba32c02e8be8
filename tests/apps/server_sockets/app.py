"""Uses drivers of database servers in every way apps do: globals, pools, threads, left open."""

import os
import time

import pg8000.dbapi
import pymysql
import sqlalchemy
from flask import Flask, g, jsonify, request

app = Flask(__name__)
POSTGRES = sqlalchemy.engine.make_url(os.environ["POSTGRES_URL"])
MYSQL = sqlalchemy.engine.make_url(os.environ["MYSQL_URL"])
engine = sqlalchemy.create_engine(POSTGRES, pool_size=2, max_overflow=0, pool_timeout=2)
mysql_engine = sqlalchemy.create_engine(MYSQL, pool_pre_ping=True)
_kept = {}


def open_postgres(**options):
    return pg8000.dbapi.connect(
        user=POSTGRES.username,
        password=POSTGRES.password,
        host=POSTGRES.host,
        port=POSTGRES.port,
        database=POSTGRES.database,
        **options,
    )


def open_mysql(**options):
    return pymysql.connect(
        user=MYSQL.username,
        password=MYSQL.password,
        host=MYSQL.host,
        port=MYSQL.port,
        database=MYSQL.database,
        **options,
    )


early_mysql = open_mysql(autocommit=True)
early_postgres = open_postgres()
early_postgres.autocommit = True


def ask(connection, statement, values=()):
    with_cursor = connection.cursor()
    with_cursor.execute(statement, values)
    rows = with_cursor.fetchall()
    with_cursor.close()
    return [list(row) for row in rows]


@app.get("/engine")
def use_engine():
    with engine.begin() as db:
        rows = db.execute(sqlalchemy.text("select 1152921504606846977, 1.50::numeric::text, pg_backend_pid()"))
        return jsonify([list(row) for row in rows])


@app.get("/mysql-engine")
def use_mysql_engine():
    with mysql_engine.begin() as db:
        return jsonify([list(row) for row in db.execute(sqlalchemy.text("select 7, connection_id()"))])


@app.get("/kept/<kind>")
def use_kept(kind):
    if kind not in _kept:
        _kept[kind] = open_mysql() if kind == "mysql" else open_postgres()
    asked = "select connection_id()" if kind == "mysql" else "select pg_backend_pid()"
    return jsonify(ask(_kept[kind], asked))


@app.get("/early/<kind>")
def use_early(kind):
    connection = early_mysql if kind == "mysql" else early_postgres
    asked = "select connection_id()" if kind == "mysql" else "select pg_backend_pid()"
    auto = connection.get_autocommit() if kind == "mysql" else connection.autocommit
    return jsonify(pid=ask(connection, asked)[0][0], autocommit=auto)


@app.get("/left-open")
def leave_open():
    g.connection = open_postgres()
    ask(g.connection, "insert into seen (word) values ('left') returning id")
    if request.args.get("fail"):
        raise RuntimeError("asked to fail")
    return "left"


@app.get("/left-streaming")
def leave_streaming():
    connection = open_postgres()
    parts = int(request.args.get("parts", 3))

    def produce():
        cursor = connection.cursor()
        for number in range(parts):
            cursor.execute("select %s::int, pg_sleep(0.05)", (number,))
            yield f"{cursor.fetchone()[0]}\n"

    return app.response_class(produce(), mimetype="text/plain")


@app.get("/sleep/<kind>")
def sleep(kind):
    seconds = float(request.args.get("s", "0.5"))
    started = time.monotonic()
    if kind == "mysql":
        connection = open_mysql()
        ask(connection, "select sleep(%s)", (seconds,))
    elif kind == "shared":
        connection = None
        ask(early_postgres, "select pg_sleep(%s)", (seconds,))
    else:
        connection = open_postgres()
        ask(connection, "select pg_sleep(%s)", (seconds,))
    if connection is not None:
        connection.close()
    return jsonify(id=request.args.get("id"), elapsed=time.monotonic() - started)


@app.get("/many")
def many():
    with engine.begin() as db:
        rows = db.execute(sqlalchemy.text("select n, repeat('x', 60), n * 1.5 from generate_series(1, 5000) n"))
        return jsonify(sum(row[0] for row in rows))


@app.get("/direct")
def direct():
    try:
        connection = pg8000.dbapi.connect(
            user=request.args["user"],
            password=request.args["password"],
            host=request.args["host"],
            port=int(request.args["port"]),
            database=request.args["database"],
            ssl_context=True if request.args.get("tls") else False,
            timeout=5,
        )
    except Exception as error:
        return jsonify(error=f"{type(error).__name__}: {error}")
    row = ask(connection, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    connection.close()
    return jsonify(tls=row[0][0])


@app.get("/direct-mysql")
def direct_mysql():
    try:
        connection = pymysql.connect(
            host=request.args["host"],
            port=int(request.args["port"]),
            user=request.args["user"],
            password=request.args["password"],
            ssl_disabled=not request.args.get("tls"),
            read_timeout=5,
        )
    except Exception as error:
        return jsonify(error=f"{type(error).__name__}: {error}")
    name, cipher = ask(connection, "show status like 'Ssl_cipher'")[0]
    connection.close()
    return jsonify(tls=bool(cipher))


@app.get("/fails/<kind>")
def fail(kind):
    try:
        connection = open_mysql() if kind == "mysql" else open_postgres()
    except (pymysql.err.Error, pg8000.dbapi.Error) as error:
        return jsonify(phase="connect", error=f"{type(error).__name__}: {error}")
    try:
        ask(connection, "select sleep(30)" if kind == "mysql" else "select pg_sleep(30)")
    except (pymysql.err.Error, pg8000.dbapi.Error) as error:
        return jsonify(phase="query", error=f"{type(error).__name__}: {error}")
    return jsonify(phase="none")
