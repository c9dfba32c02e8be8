from flask import Flask, request
from flask_wtf import FlaskForm
from flask_wtf.file import FileField

app = Flask(__name__)


class PhotoForm(FlaskForm):
    photo = FileField()


@app.post("/")
def upload():
    sent = request.files["photo"]
    sent.save("uploads/photo.png")  # <- FS-UPLOAD
    for other in request.files.getlist("more"):
        other.save("uploads/" + other.filename)  # <- FS-UPLOAD
    return ""


@app.post("/form")
def send_form():
    form = PhotoForm()
    form.photo.data.save("uploads/form.png")  # <- FS-UPLOAD
    return ""
