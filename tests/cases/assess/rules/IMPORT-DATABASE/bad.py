from flask import Flask, request

app = Flask(__name__)


import sqlite3

db = sqlite3.connect("app.db")  # <- IMPORT-DATABASE


def count():
    return db.execute("SELECT count(*) FROM item").fetchone()[0]
