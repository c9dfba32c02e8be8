from flask import Flask, request

app = Flask(__name__)


import io
import tempfile


@app.post("/")
def index():
    with open("state.json") as handle:
        text = handle.read()
    buffer = io.BytesIO()
    buffer.write(b"x")
    return text


@app.cli.command("dump")
def dump():
    with open("dump.txt", "w") as handle:
        handle.write("x")
