from flask import Flask, request

app = Flask(__name__)


import html
import sysconfig
