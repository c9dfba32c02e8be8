from flask import Flask, request

app = Flask(__name__)


import os


@app.get("/quit")
def quit_now():
    os._exit(0)  # <- PROC-EXIT
