import asyncio, sys
import aiopg, psycopg2

async def attempt(work):
    try:
        print(await work())
    except psycopg2.Error as error:
        print(type(error).__name__, error.pgcode)

async def main():
    async with aiopg.create_pool(sys.argv[1]) as pool, pool.acquire() as db, db.cursor() as cur:
        await cur.execute("CREATE TABLE t (a int primary key, b text)")
        await attempt(lambda: cur.execute("INSERT INTO t VALUES (%s, %s)", (1, "x")))
        await cur.execute("SELECT count(*) FROM t WHERE b = %s", ("x",))
        print(await cur.fetchone())

asyncio.run(main())
