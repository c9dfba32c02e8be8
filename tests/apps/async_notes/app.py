import asyncio, time, threading, contextvars
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request, BackgroundTasks, Depends, UploadFile, HTTPException, Form
from fastapi.responses import StreamingResponse, PlainTextResponse

starts = []


@asynccontextmanager
async def lifespan(app):
    starts.append(1)
    await asyncio.sleep(0.01)
    yield {"db": "pool"}


app = FastAPI(lifespan=lifespan)
alock = asyncio.Lock()
done = []
cv = contextvars.ContextVar("cv")


@app.get("/")
async def root():
    return {"hello": "world"}


@app.get("/def")
def deff():
    return {"sync": True}


@app.get("/defsleep/{n}")
def defsleep(n: int):
    cv.set(n)
    time.sleep(0.1)
    return {"ok": cv.get() == n}


@app.get("/async/{n}")
async def asy(n: int):
    cv.set(n)
    await asyncio.sleep(0.1)
    return {"ok": cv.get() == n}


@app.get("/state")
async def state(request: Request):
    return {
        "state": request.state.db,
        "starts": len(starts),
        "client": request.client.host,
        "path": request.url.path,
    }


@app.get("/lock")
async def lock():
    async with alock:
        await asyncio.sleep(0.1)
    return {}


@app.get("/bg")
async def bg(tasks: BackgroundTasks):
    def sync():
        time.sleep(0.2)
        done.append("sync")

    async def asy():
        await asyncio.sleep(0.2)
        done.append("async")

    tasks.add_task(sync)
    tasks.add_task(asy)
    return len(done)


@app.get("/stream")
async def stream():
    async def gen():
        for i in range(3):
            await asyncio.sleep(0.05)
            yield f"{i}\n"

    return StreamingResponse(gen(), media_type="text/plain")


@app.get("/syncstream")
def sstream():
    def gen():
        for i in range(3):
            time.sleep(0.05)
            yield f"{i}\n"

    return StreamingResponse(gen())


@app.post("/upload")
async def upload(f: UploadFile, a: str = Form()):
    return {"n": len(await f.read()), "name": f.filename, "a": a}


@app.post("/body")
async def body(request: Request):
    return {"n": len(await request.body())}


@app.get("/boom")
async def boom():
    raise RuntimeError("boom")


@app.get("/item/{n}")
async def item(n: int):
    return n


@app.get("/gather")
async def gather():
    t = time.time()
    await asyncio.gather(*[asyncio.sleep(0.1) for _ in range(5)])
    return {"t": time.time() - t}


@app.get("/timeout")
async def timeout():
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(5)
    except TimeoutError:
        return "timeout"


@app.get("/breaks")
async def breaks():
    async def gen():
        yield "a\n"
        raise RuntimeError("mid")

    return StreamingResponse(gen())


@app.get("/done")
async def show_done():
    return len(done)
