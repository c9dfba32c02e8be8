from flask import Flask, request

app = Flask(__name__)


app.config["SECRET_KEY"] = "d41d8cd98f00b204"  # <- SECRET-HARDCODED
DATABASE = "postgresql://shop:hunter22@db.example.com/shop"  # <- SECRET-HARDCODED
client = dict(api_key="9f8e7d6c5b4a")  # <- SECRET-HARDCODED
