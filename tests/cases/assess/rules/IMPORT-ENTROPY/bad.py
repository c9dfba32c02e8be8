from flask import Flask, request

app = Flask(__name__)


import os
import random
import uuid

app.secret_key = os.urandom(16)  # <- IMPORT-ENTROPY
NODE = uuid.uuid4().hex  # <- IMPORT-ENTROPY


def pick():
    return random.choice("ab")  # <- IMPORT-ENTROPY


CHOICE = pick()
