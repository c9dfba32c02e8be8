import hashlib

from flask import Flask, request
from passlib.hash import pbkdf2_sha256
from werkzeug.security import generate_password_hash

app = Flask(__name__)
ITERATIONS = 600_000
INSTALLED_APPS = ["django.contrib.auth", "shop"]  # <- LIMIT-PBKDF2


@app.post("/password")
def set_password():
    word = request.form["password"]
    hashlib.pbkdf2_hmac("sha256", word.encode(), b"salt", ITERATIONS)  # <- LIMIT-PBKDF2
    hashlib.pbkdf2_hmac("sha256", word.encode(), b"salt", iterations=100_001)  # <- LIMIT-PBKDF2
    generate_password_hash(word, method="pbkdf2:sha256:260000")  # <- LIMIT-PBKDF2
    generate_password_hash(word, "pbkdf2")  # <- LIMIT-PBKDF2
    return pbkdf2_sha256.using(rounds=310_000).hash(word)  # <- LIMIT-PBKDF2
