from flask import Flask, request

app = Flask(__name__)


import io
import tempfile

from PIL import Image


@app.post("/")
def index():
    with open("state.json") as handle:
        text = handle.read()
    buffer = io.BytesIO()
    buffer.write(b"x")
    return text


@app.post("/picture")
def picture():
    sent = io.BytesIO()
    Image.open(request.files["picture"]).save(sent, "PNG")
    return sent.getvalue()


@app.cli.command("dump")
def dump():
    with open("dump.txt", "w") as handle:
        handle.write("x")
