from flask import Flask, request

app = Flask(__name__)


try:
    import resource
except ImportError:
    resource = None

import zoneinfo


@app.get("/")
def index():
    return str(resource) + str(zoneinfo.TZPATH)
