import sys

from flask import Flask

sys.exit(2)
app = Flask(__name__)
