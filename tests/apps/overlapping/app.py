"""A Flask app whose routes wait inside, so that requests overlap in one isolate."""

import asyncio
import contextvars
import gc
import hashlib
import queue
import random
import secrets
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask, Response, current_app, g, jsonify, request, session, stream_with_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import QueuePool

app = Flask(__name__)
app.secret_key = "test"
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:////tmp/notes.db"
db = SQLAlchemy(app)
local = threading.local()
variable = contextvars.ContextVar("variable", default=None)
locks = {"lock": threading.Lock(), "rlock": threading.RLock(), "semaphore": threading.Semaphore(1)}
condition = threading.Condition()
pool = ThreadPoolExecutor(4)
engine = create_engine("sqlite:////tmp/pool.db", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=60)
Scoped = scoped_session(sessionmaker(engine))
crowd = {}
ran = []
started = []


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    body = db.Column(db.Text)


class Crowd:
    """Counts how many are inside a block at once."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        now, peak = crowd.get(self.name, (0, 0))
        crowd[self.name] = (now + 1, max(peak, now + 1))

    def __exit__(self, *error):
        now, peak = crowd[self.name]
        crowd[self.name] = (now - 1, peak)


@app.get("/peak/<name>")
def peak(name):
    return jsonify(crowd.pop(name, (0, 0))[1])


@app.get("/plain")
def plain():
    return "plain"


@app.get("/own/<value>")
def own(value):
    g.value = local.value = value
    variable.set(value)
    with Crowd("own"):
        time.sleep(0.1)
    return jsonify(
        g=g.value == value,
        local=local.value == value,
        variable=variable.get() == value,
        request=request.view_args["value"] == value,
        ident=threading.get_ident(),
        current=threading.current_thread().ident == threading.get_ident(),
    )


@app.get("/inside/<kind>")
def inside(kind):
    with locks[kind]:
        with Crowd(kind):
            time.sleep(0.03)
    return "ok"


@app.get("/again")
def again():
    with locks["rlock"], locks["rlock"]:
        time.sleep(0.01)
    return "ok"


@app.get("/stream/<value>")
def stream(value):
    g.value = value

    @stream_with_context
    def parts():
        for number in range(3):
            time.sleep(0.02)
            yield f"{g.value}:{request.view_args['value']}:{number};"

    return Response(parts(), mimetype="text/plain")


@app.get("/session")
def count():
    session["count"] = session.get("count", 0) + 1
    time.sleep(0.02)
    return jsonify(session["count"])


@app.get("/threads")
def threads():
    found = []

    def work(number):
        local.number = number
        time.sleep(0.02 * (3 - number))
        found.append((local.number, threading.current_thread().name))

    workers = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return jsonify(found=found, alive=[w.is_alive() for w in workers], mine=hasattr(local, "number"))


@app.get("/pool")
def pooled():
    def work(number):
        with Crowd("pool"):
            time.sleep(0.03)
        return number * number

    return jsonify(list(pool.map(work, range(8))))


@app.get("/pool/error")
def pool_error():
    future = pool.submit(lambda: 1 / 0)
    return type(future.exception()).__name__


@app.get("/queue")
def queues():
    items, simple, answers = queue.Queue(1), queue.SimpleQueue(), []

    def consume():
        while (item := items.get()) is not None:
            answers.append(item * 2)
        simple.put("done")

    threading.Thread(target=consume).start()
    for number in range(4):
        items.put(number)
    items.put(None)
    return jsonify(answers=answers, last=simple.get(), late=[simple.empty()])


@app.get("/timeout")
def timeouts():
    lock = threading.Lock()
    lock.acquire()
    event = threading.Event()
    threading.Timer(0.02, event.set).start()
    return jsonify(lock=lock.acquire(timeout=0.02), never=lock.acquire(False), event=event.wait(5))


@app.get("/later")
def later():
    threading.Thread(target=lambda: (time.sleep(0.05), started.append("later"))).start()
    return jsonify(started.count("later"))


@app.get("/async")
async def asynchronous():
    async def slow(number):
        await asyncio.sleep(0.02)
        return number

    return jsonify(await asyncio.gather(slow(1), slow(2)), request.path)


@app.get("/shared")
def shared():
    """Two stacks wait for one promise, beside a third that awaits it."""
    import js
    from pyodide.ffi import run_sync

    found = []
    promise = js.scheduler.wait(20)
    workers = [threading.Thread(target=lambda: found.append(run_sync(promise))) for _ in range(2)]
    for worker in workers:
        worker.start()

    async def main():
        await promise
        found.append("awaited")

    asyncio.run(main())
    run_sync(promise)
    for worker in workers:
        worker.join()
    return jsonify(len(found))


@app.get("/run")
def run():
    async def main():
        await asyncio.sleep(0.01)
        return variable.get()

    variable.set("seen")
    return asyncio.run(main())


class Node:
    pass


@app.get("/garbage")
def garbage():
    for _ in range(6):
        nodes = []
        for _ in range(700):
            node = Node()
            node.self, node.list = node, [node]
            nodes.append(node)
        time.sleep(0.003)
    return "garbage"


@app.get("/collect")
def collect():
    gc.enable()
    time.sleep(0.01)
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    return jsonify(enabled=enabled, disabled=gc.isenabled())


@app.get("/random")
def randoms():
    return jsonify(random=random.random(), uuid=str(uuid.uuid4()), secret=secrets.token_hex(8))


@app.get("/hash")
def hashes():
    scrypt = hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride", n=16384, r=8, p=1, maxmem=2**26, dklen=64)
    return jsonify(
        pbkdf2=hashlib.pbkdf2_hmac("sha256", b"passwd", b"salt", 1, 64).hex(), scrypt=scrypt.hex()
    )


@app.get("/notes/<body>")
def notes(body):
    db.session.add(Note(body=body))
    time.sleep(0.02)
    mine = [note.body for note in db.session.new]
    key = id(db.session())
    db.session.rollback()
    return jsonify(mine=mine, key=key)


@app.get("/scoped")
def scoped():
    first = Scoped()
    first.execute(text("select 1")).scalar()
    with Crowd("connection"):
        time.sleep(0.02)
    same = first is Scoped()
    Scoped.remove()
    return jsonify(same)


@app.post("/upload")
def upload():
    file = request.files["file"]
    data = file.read()
    return jsonify(name=file.filename, size=len(data), sha=hashlib.sha256(data).hexdigest(), form=request.form)


@app.route("/echo", methods=["POST", "PUT", "HEAD", "GET"])
def echo():
    response = Response(request.get_data(), mimetype="application/octet-stream")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/environ")
def environ():
    return jsonify({k: v for k, v in request.environ.items() if isinstance(v, str)})


@app.get("/header")
def header():
    return Response("x", headers={"X-Latin": "caf\xe9", "X-Utf8": "caf\xe9 \u20ac".encode().decode("latin-1")})


@app.get("/status/<int:code>")
def status(code):
    return Response("body", status=code)


@app.get("/boom")
def boom():
    raise RuntimeError("boom on purpose")


@app.get("/exit")
def leave():
    raise SystemExit(3)


@app.get("/break")
def broken():
    def parts():
        yield b"x" * 70000
        time.sleep(0.05)
        raise RuntimeError("on the way")

    return Response(parts())


@app.get("/endless")
def endless():
    def parts():
        try:
            while True:
                time.sleep(0.01)
                yield b"x" * 1000
        finally:
            started.append("closed")

    return Response(parts())


@app.get("/started")
def show_started():
    return jsonify(started)


@app.get("/large")
def large():
    response = Response((b"x" * 100_000 for _ in range(30)), mimetype="text/plain")
    response.content_length = 3_000_000
    return response


def declared():
    ran.append(("declared", current_app.name))


def failing():
    raise ValueError("no luck")


def recorded(word):
    ran.append(("recorded", word))


scheduler = BackgroundScheduler()
scheduler.add_job(recorded, "interval", seconds=1, args=["tick"], id="ticker")
scheduler.start()


@app.get("/ran")
def show_ran():
    return jsonify(ran, scheduler.running, [job.id for job in scheduler.get_jobs()])


def poll():
    while True:
        started.append("polled")
        time.sleep(3600)


threading.Thread(target=poll, daemon=True).start()
imported = list(ThreadPoolExecutor(1).map(lambda n: n + 1, [1]))


@app.get("/imported")
def show_imported():
    return jsonify(imported, "polled" in started)
