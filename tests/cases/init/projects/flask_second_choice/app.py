from flask import Flask

app = Flask(__name__)
raise RuntimeError('old')
