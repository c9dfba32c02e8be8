from flask import Flask, request

app = Flask(__name__)


def prepare(db):
    db.enable_load_extension(True)  # <- SQL-EXTENSION
    db.load_extension("./vector")  # <- SQL-EXTENSION
