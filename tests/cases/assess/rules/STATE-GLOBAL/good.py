from flask import Flask, request

app = Flask(__name__)


NAMES = {"a": 1}
REGISTRY = []
REGISTRY.append("on import")


@app.get("/")
def index():
    found = {}
    found["x"] = NAMES["a"]
    NAMES_COPY = dict(NAMES)
    NAMES_COPY["b"] = 2
    return str(found)
