from flask import Flask, request

app = Flask(__name__)


import ssl


@app.get("/")
def index():
    try:
        return "ok"
    except ssl.SSLError:
        return "no"
