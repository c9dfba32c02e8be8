from flask import Flask, request

app = Flask(__name__)


import ctypes

libc = ctypes.CDLL("libc.so.6")  # <- PROC-CTYPES
