from flask import Flask, request

app = Flask(__name__)


from gevent import monkey  # <- PROC-GREENLET

monkey.patch_all()
