from flask import Flask, request

app = Flask(__name__)


import ctypes

number = ctypes.c_int(3)
