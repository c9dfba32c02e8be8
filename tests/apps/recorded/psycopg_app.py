import asyncio, sys
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

def attempt(work):
    try:
        found = work()
        print(found if isinstance(found, (int, str, list, type(None))) else "done")
    except psycopg.Error as error:
        print(type(error).__name__, error.sqlstate, str(error).splitlines()[0])

db = psycopg.connect(sys.argv[1], row_factory=dict_row)
db.execute("CREATE TABLE t (a int primary key, b text)")
db.commit()
attempt(lambda: db.execute("INSERT INTO t VALUES (%s, %s)", (1, "x%")))
attempt(lambda: db.cursor().executemany("INSERT INTO t VALUES (%s, %s)", [(2, "y"), (3, "z")]))
db.rollback() if db.info.transaction_status == 3 else None
attempt(db.commit)
db.rollback()
def manage():
    with db.transaction():
        db.execute(sql.SQL("DELETE FROM {} WHERE a = {}").format(sql.Identifier("t"), 1))
attempt(manage)
print(db.execute("SELECT b FROM t WHERE a > %(a)s", {"a": 2}).fetchall())
with db.cursor(name="named") as named:
    named.execute("SELECT a FROM t ORDER BY a")
    print([row["a"] for row in named])
print([row for row in db.cursor().stream("SELECT a FROM t WHERE a = %s", [3])])
db.rollback()

async def main():
    async with await psycopg.AsyncConnection.connect(sys.argv[1]) as other:
        cursor = await other.execute("SELECT count(*) FROM t")
        print(await cursor.fetchone())
asyncio.run(main())
