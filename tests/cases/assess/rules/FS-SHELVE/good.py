from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def index():
    shelf = {}
    return str(shelf.get("open"))
