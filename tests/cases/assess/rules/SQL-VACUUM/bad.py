from flask import Flask, request

app = Flask(__name__)


def tidy(db):
    db.execute("VACUUM")  # <- SQL-VACUUM
