from flask import Flask, request

app = Flask(__name__)


import os


@app.get("/")
def index():
    return str(os.getpid())
