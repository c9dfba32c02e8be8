from flask import Flask, request

app = Flask(__name__)


app.config["MAX_CONTENT_LENGTH"] = 500 * 1024 * 1024  # <- LIMIT-BODY
