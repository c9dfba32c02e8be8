"""A Flask app that leaves its places to Flask: the database and a file lie in the instance folder."""

import pdb  # as click.testing and with it Flask-Login does
import sys
from pathlib import Path

from flask import Flask, jsonify
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__, instance_relative_config=True)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///notes.db"
db = SQLAlchemy(app)


@app.get("/places")
def places():
    return jsonify(
        instance=str(Path(app.instance_path)),
        database=str(db.engine.url.database),
        prefix=sys.prefix,
        debugger=pdb.Pdb.__name__,
    )
