from flask import Flask, request

app = Flask(__name__)


import ssl


@app.get("/")
def index():
    return str(ssl.create_default_context())  # <- NET-TLS
