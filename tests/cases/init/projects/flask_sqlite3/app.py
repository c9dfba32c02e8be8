import os
import sqlite3

from flask import Flask, g

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASE = os.environ.get("NOTES_DB", os.path.join(HERE, "data", "notes.db"))
app = Flask(__name__)


def db():
    if "db" not in g:
        g.db = sqlite3.connect(DATABASE)
    return g.db


@app.get("/")
def index():
    return str(db().execute("SELECT 1").fetchone())
