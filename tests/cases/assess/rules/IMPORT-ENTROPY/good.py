from flask import Flask, request

app = Flask(__name__)


import random
import uuid

generator = random.Random(42)
MAKE_ID = uuid.uuid4


@app.get("/")
def index():
    return str(random.random()) + uuid.uuid4().hex
