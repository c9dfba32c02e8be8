from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def index():
    return open("/var/lib/shop/prices.csv").read()  # <- FS-ABSOLUTE
