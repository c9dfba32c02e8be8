from flask import Flask, request

app = Flask(__name__)


import logging
from logging.handlers import RotatingFileHandler

logging.getLogger().addHandler(RotatingFileHandler("app.log"))  # <- FS-LOG
logging.basicConfig(filename="other.log")  # <- FS-LOG
