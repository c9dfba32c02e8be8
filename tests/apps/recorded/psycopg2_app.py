import sys
import psycopg2, psycopg2.extras, psycopg2.pool
from psycopg2 import sql

def attempt(work):
    try:
        print(work())
    except psycopg2.Error as error:
        print(type(error).__name__, error.pgcode, str(error).splitlines()[0])

pool = psycopg2.pool.SimpleConnectionPool(1, 2, sys.argv[1], cursor_factory=psycopg2.extras.RealDictCursor)
db = pool.getconn()
cur = db.cursor()
cur.execute("CREATE TABLE t (a int primary key, b text)")
db.commit()
where = " AND ".join(["a > %s", "b = %s"])
attempt(lambda: cur.execute("INSERT INTO t VALUES (%s, %s)", (1, "x%")))  # line 17
attempt(lambda: cur.executemany("INSERT INTO t VALUES (%s, %s)", [(2, "y"), (3, "z")]))
attempt(lambda: psycopg2.extras.execute_values(cur, "INSERT INTO t (a, b) VALUES %s", [(4, "u"), (5, "v")]))
db.rollback() if db.info.transaction_status == 3 else None
attempt(db.commit)
db.rollback()
cur.execute(f"SELECT b FROM t WHERE {where}", (0, "z"))
print(cur.fetchall(), cur.rowcount)
cur.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("t")))
print(cur.fetchone()["count"])
named = db.cursor("named", cursor_factory=psycopg2.extras.DictCursor)
named.execute(b"SELECT a FROM t ORDER BY a")
print([row["a"] for row in named], type(named).__name__)
db.rollback()
def manage():
    with db:
        with db.cursor() as cursor:
            cursor.execute("DELETE FROM t WHERE a = %(a)s", {"a": 1})
    return db.info.transaction_status
attempt(manage)
