from flask import Flask, request

app = Flask(__name__)


def prepare(db):
    db.execute("CREATE TEMP TABLE chosen (id INTEGER)")  # <- SQL-TEMP
