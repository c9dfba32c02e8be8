from flask import Flask, request

app = Flask(__name__)


from flask_limiter import Limiter

limiter = Limiter(lambda: "x", app=app)  # <- STATE-LIMITER
