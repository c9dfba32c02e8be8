import sys
from urllib.parse import urlsplit
import MySQLdb
import MySQLdb.cursors

url = urlsplit(sys.argv[1])

def attempt(work):
    try:
        print(work())
    except MySQLdb.Error as error:
        print(type(error).__name__, *error.args)

db = MySQLdb.connect(host=url.hostname, port=url.port, user=url.username, passwd=url.password, db=url.path[1:],
    cursorclass=MySQLdb.cursors.DictCursor)
cur = db.cursor()
cur.execute("CREATE TABLE t (a int primary key, b text)")
attempt(lambda: cur.execute("INSERT INTO t VALUES (%s, %s)", (1, "x%")))
attempt(lambda: cur.executemany("INSERT INTO t (a, b) VALUES (%s, %s)", [(2, "y"), (3, "z")]))
attempt(db.commit)
db.rollback()
cur.execute("SELECT b FROM t WHERE a > %(a)s ORDER BY a", {"a": 0})
print(cur.fetchall())
with db.cursor(MySQLdb.cursors.SSCursor) as streamed:
    streamed.execute("SELECT count(*) FROM t")
    print(streamed.fetchone())
