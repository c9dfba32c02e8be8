from flask import Flask, request

app = Flask(__name__)


import json
from pathlib import Path


def save(data):
    with open("state.json", "w") as handle:  # <- FS-WRITE
        json.dump(data, handle)


@app.post("/")
def index():
    save(request.json)
    Path("log.txt").write_text("x")  # <- FS-WRITE
    return ""


from PIL import Image


@app.post("/picture")
def picture():
    small = Image.open("big.png")
    small.thumbnail((9, 9))
    small.save("pictures/small.png")  # <- FS-WRITE
    return ""
