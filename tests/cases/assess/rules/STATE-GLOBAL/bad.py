from flask import Flask, request

app = Flask(__name__)


VISITS = {}
total = 0


@app.get("/")
def index():
    global total  # <- STATE-GLOBAL
    total += 1
    VISITS[request.remote_addr] = total  # <- STATE-GLOBAL
    return ""
