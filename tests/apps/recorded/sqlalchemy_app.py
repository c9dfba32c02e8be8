import asyncio, sys
from sqlalchemy import create_engine, select, table, column, text, insert, exc
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_engine(sys.argv[1].replace("postgresql:", "postgresql+psycopg2:"))
t = table("t", column("a"), column("b"))

def attempt(work):
    try:
        with engine.begin() as db:
            print(work(db))
    except exc.DBAPIError as error:
        print(type(error).__name__, error.orig.pgcode)

with engine.begin() as db:
    db.exec_driver_sql("CREATE TABLE t (a int primary key, b text)")
attempt(lambda db: db.execute(insert(t).values(a=1, b="x")).rowcount)
attempt(lambda db: db.execute(text("INSERT INTO t VALUES (" + ", ".join([":a", ":b"]) + ")"), {"a": 2, "b": "y"}).rowcount)
attempt(lambda db: db.execute(insert(t), [{"a": 3, "b": "z"}, {"a": 4, "b": "w"}]).rowcount)
with engine.connect() as db:
    print(db.execute(select(t.c.b).where(t.c.a == 1)).all())
    print(db.exec_driver_sql("SELECT b FROM t WHERE a = %s", (2,)).all())

async def main():
    other = create_async_engine(sys.argv[1].replace("postgresql:", "postgresql+asyncpg:"))
    async with other.connect() as db:
        print((await db.execute(text("SELECT count(*) AS n FROM t"))).scalar())
    await other.dispose()

asyncio.run(main())
