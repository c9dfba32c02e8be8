from flask import Flask, request

app = Flask(__name__)


import sys


@app.cli.command("check")
def check():
    sys.exit(1)
