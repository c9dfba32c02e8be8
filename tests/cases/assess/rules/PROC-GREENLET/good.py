from flask import Flask, request

app = Flask(__name__)


import asyncio


@app.get("/")
def index():
    return str(asyncio.iscoroutine(None))
