import sys
from urllib.parse import urlsplit
import mysql.connector

url = urlsplit(sys.argv[1])

def attempt(work):
    try:
        print(work())
    except mysql.connector.Error as error:
        print(type(error).__name__, error.errno, error.msg)

db = mysql.connector.connect(host=url.hostname, port=url.port, user=url.username, password=url.password, database=url.path[1:],
    use_pure=True, charset="utf8mb4", collation="utf8mb4_general_ci")
cur = db.cursor(dictionary=True)
cur.execute("CREATE TABLE t (a int primary key, b text)")
attempt(lambda: cur.execute("INSERT INTO t VALUES (%s, %s)", (1, "x%")))
attempt(lambda: cur.executemany("INSERT INTO t (a, b) VALUES (%s, %s)", [(2, "y"), (3, "z")]))
attempt(db.commit)
db.rollback()
cur.execute("SELECT b FROM t WHERE a > %(a)s ORDER BY a", {"a": 0})
print(cur.fetchall())
streamed = db.cursor()
streamed.execute("SELECT count(*) FROM t")
print(streamed.fetchall())
