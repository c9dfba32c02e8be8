from flask import Flask, request

app = Flask(__name__)


from pathlib import Path

HERE = Path(__file__).parent


@app.get("/items/")
def index():
    return open(HERE / "prices.csv").read() + open("/tmp/x").read() + open("data/a.txt").read()
