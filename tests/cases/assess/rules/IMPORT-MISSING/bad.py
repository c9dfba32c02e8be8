from flask import Flask, request

app = Flask(__name__)


import resource  # <- IMPORT-MISSING


@app.get("/")
def index():
    import pwd  # <- IMPORT-MISSING

    return str(pwd.getpwall()) + str(resource.getpagesize())
