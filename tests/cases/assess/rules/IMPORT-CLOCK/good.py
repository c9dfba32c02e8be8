from flask import Flask, request

app = Flask(__name__)


import time
from datetime import datetime

DEFAULT = datetime.utcnow


@app.get("/")
def index():
    return str(time.time())
