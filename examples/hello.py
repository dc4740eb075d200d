"""The five lines every Flask app begins with."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """Greet."""
    return "Hello from Flask\n"
