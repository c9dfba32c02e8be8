from flask import Flask, request

app = Flask(__name__)


import tempfile


@app.get("/")
def index():
    with tempfile.NamedTemporaryFile() as handle:  # <- FS-TEMP
        handle.write(b"x")
    return ""
