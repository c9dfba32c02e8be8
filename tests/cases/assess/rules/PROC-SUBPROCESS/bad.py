from flask import Flask, request

app = Flask(__name__)


import os
import subprocess as sp


@app.get("/")
def index():
    return sp.check_output(["date"])  # <- PROC-SUBPROCESS


def helper():
    os.system("date")  # <- PROC-SUBPROCESS


@app.get("/b")
def other():
    helper()
    return ""
