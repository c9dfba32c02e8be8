from flask import Flask, request

app = Flask(__name__)


@app.post("/")
def upload():
    sent = request.files["photo"]
    sent.save("uploads/photo.png")  # <- FS-UPLOAD
    for other in request.files.getlist("more"):
        other.save("uploads/" + other.filename)  # <- FS-UPLOAD
    return ""
