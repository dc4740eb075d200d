"""The app of the peers for ASGI: one line, nothing tuned."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/text", response_class=PlainTextResponse)
async def text() -> str:
    return "Hello, World!"
