from flask import Flask, request

app = Flask(__name__)


from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool


@app.get("/")
def index():
    with Pool(2) as pool:  # <- PROC-MULTIPROCESSING
        return str(pool.map(len, ["a"]))


executor = ProcessPoolExecutor()  # <- PROC-MULTIPROCESSING
