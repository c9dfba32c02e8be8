from flask import Flask, request

app = Flask(__name__)


import re


def find(db):
    return re.match("a", "b"), db.execute("SELECT * FROM item WHERE name GLOB ?", ("a",))
