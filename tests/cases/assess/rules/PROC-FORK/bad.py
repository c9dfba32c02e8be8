from flask import Flask, request

app = Flask(__name__)


import os


@app.get("/")
def index():
    if os.fork() == 0:  # <- PROC-FORK
        return ""
    return "parent"
