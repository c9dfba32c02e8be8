import sys
from urllib.parse import urlsplit
import pg8000.dbapi, pg8000.native

url = urlsplit(sys.argv[1])
place = {"user": url.username, "password": url.password, "host": url.hostname, "port": url.port, "database": url.path[1:]}

def attempt(work):
    try:
        found = work()
        print(found if isinstance(found, (int, str, list, type(None))) else "done")
    except Exception as error:
        told = error.args[0]
        print(type(error).__name__, *((told["C"], told["M"]) if isinstance(told, dict) else (told,)))

db = pg8000.dbapi.connect(**place)
cur = db.cursor()
cur.execute("CREATE TABLE t (a int primary key, b text)")
db.commit()
attempt(lambda: cur.execute("INSERT INTO t VALUES (%s, %s)", (1, "x")))
attempt(lambda: cur.executemany("INSERT INTO t VALUES (%s, %s)", [(2, "y"), (3, "z")]))
attempt(db.commit)
db.rollback()
native = pg8000.native.Connection(**place)
print(native.run("SELECT count(*) FROM t WHERE a > :low", low=1))
