from flask import Flask, request

app = Flask(__name__)


import sqlite3


@app.get("/")
def index():
    return str(sqlite3.connect("app.db").execute("SELECT 1").fetchone()[0])
