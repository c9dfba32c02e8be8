from flask import Flask, request

app = Flask(__name__)


app.run(port=5000)  # <- IMPORT-SERVER
