from flask import Flask, request

app = Flask(__name__)


import cgi  # <- IMPORT-REMOVED
from distutils.util import strtobool  # <- IMPORT-REMOVED
