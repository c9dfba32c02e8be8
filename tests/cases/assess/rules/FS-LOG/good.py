from flask import Flask, request

app = Flask(__name__)


import logging

logging.getLogger().addHandler(logging.StreamHandler())
logging.basicConfig(level="INFO")
