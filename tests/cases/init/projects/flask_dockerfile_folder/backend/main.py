from flask import Flask

from helpers import NAME

server = Flask(NAME)
