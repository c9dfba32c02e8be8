from flask import Flask, request

app = Flask(__name__)


import shelve


@app.get("/")
def index():
    return str(len(shelve.open("data")))  # <- FS-SHELVE
