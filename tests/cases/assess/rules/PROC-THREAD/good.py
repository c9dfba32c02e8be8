from flask import Flask, request

app = Flask(__name__)


import threading

lock = threading.Lock()
local = threading.local()


@app.get("/")
def index():
    with lock:
        return threading.current_thread().name
