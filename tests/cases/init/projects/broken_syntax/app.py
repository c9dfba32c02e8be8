app = Flask(
