import hashlib

from flask import Flask, request
from passlib.hash import pbkdf2_sha256
from werkzeug.security import generate_password_hash

app = Flask(__name__)
INSTALLED_APPS = ["django.contrib.auth", "shop"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]


@app.post("/password")
def set_password():
    word = request.form["password"]
    hashlib.pbkdf2_hmac("sha256", word.encode(), b"salt", 100_000)
    hashlib.pbkdf2_hmac("sha256", word.encode(), b"salt", int(request.form["rounds"]))
    generate_password_hash(word)
    generate_password_hash(word, method="pbkdf2:sha256:50000")
    generate_password_hash(word, method="scrypt:32768:8:1")
    return pbkdf2_sha256.hash(word)
