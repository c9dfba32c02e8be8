import asyncio, sys
import asyncpg

async def attempt(work):
    try:
        print(await work())
    except asyncpg.PostgresError as error:
        print(type(error).__name__, error.sqlstate, str(error))

async def main():
    pool = await asyncpg.create_pool(sys.argv[1], min_size=1, max_size=1)
    async with pool.acquire() as db:
        await db.execute("CREATE TABLE t (a int primary key, b text)")
        await attempt(lambda: db.execute("INSERT INTO t VALUES ($1, $2)", 1, "x"))
        await attempt(lambda: db.executemany("INSERT INTO t VALUES ($1, $2)", [(2, "y"), (3, "z")]))
        async def manage():
            async with db.transaction():
                return await db.fetchval("DELETE FROM t WHERE a = $1 RETURNING b", 1)
        await attempt(manage)
        statement = await db.prepare("UPDATE t SET b = $1 WHERE a = $2 RETURNING a")
        await attempt(lambda: statement.fetchval("q", 2))
        async with db.transaction():
            print([row["a"] async for row in db.cursor("SELECT a FROM t ORDER BY a")])
    print(await pool.fetch("SELECT count(*) FROM t WHERE b = $1", "z"))
    await pool.close()

asyncio.run(main())
