import os

from flask import Flask

from .models import db


def create_app(config=None):
    app = Flask(__name__, instance_path=os.path.join(os.path.dirname(__file__), "..", "instance"))
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///shop.db")
    app.config["PAYMENT_TOKEN"] = os.getenv("PAYMENT_TOKEN")
    app.config["PAGE"] = int(os.environ.get("PAGE_SIZE", 20))
    db.init_app(app)
    return app
