from flask import Flask, request

app = Flask(__name__)


class Pool:
    def map(self, function, values):
        return [function(v) for v in values]


@app.get("/")
def index():
    return str(Pool().map(len, ["a"]))
