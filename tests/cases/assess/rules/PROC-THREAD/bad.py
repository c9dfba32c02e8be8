from flask import Flask, request

app = Flask(__name__)


import threading
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2)  # <- PROC-THREAD


class Worker(threading.Thread):  # <- PROC-THREAD
    def run(self):
        pass


@app.get("/")
def index():
    threading.Thread(target=print).start()  # <- PROC-THREAD
    return ""
