import os
import sqlite3

from flask import Flask, current_app

app = Flask(__name__)
app.config["DATABASE"] = os.path.join(app.root_path, "blog.sqlite")


def connect():
    return sqlite3.connect(current_app.config["DATABASE"])
