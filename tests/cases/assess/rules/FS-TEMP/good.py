from flask import Flask, request

app = Flask(__name__)


import tempfile

FOLDER = tempfile.gettempdir()
