import asyncio, sys
from urllib.parse import urlsplit
import aiomysql, pymysql

url = urlsplit(sys.argv[1])

async def attempt(work):
    try:
        print(await work())
    except pymysql.Error as error:
        print(type(error).__name__, *error.args)

async def main():
    async with aiomysql.create_pool(host=url.hostname, port=url.port, user=url.username, password=url.password,
            db=url.path[1:]) as pool, pool.acquire() as db, db.cursor() as cur:
        await cur.execute("CREATE TABLE t (a int primary key, b text)")
        await attempt(lambda: cur.execute("INSERT INTO t VALUES (%s, %s)", (1, "x%")))
        await attempt(lambda: cur.executemany("INSERT INTO t (a, b) VALUES (%s, %s)", [(2, "y"), (3, "z")]))
        await attempt(db.commit)
        await db.rollback()
        await cur.execute("SELECT count(*) FROM t WHERE a > %s", (0,))
        print(await cur.fetchone())

asyncio.run(main())
