from flask import Flask, request

app = Flask(__name__)


def find(db, column):
    db.execute("SELECT * FROM item WHERE name REGEXP ?", ("a",))  # <- SQL-REGEXP
    return column.regexp_match("a")  # <- SQL-REGEXP
