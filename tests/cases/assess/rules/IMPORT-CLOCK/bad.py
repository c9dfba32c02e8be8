from flask import Flask, request

app = Flask(__name__)


import time
from datetime import datetime

STARTED = time.time()  # <- IMPORT-CLOCK
DAY = datetime.now()  # <- IMPORT-CLOCK
