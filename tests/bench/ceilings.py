"""Ceilings: a FastAPI endpoint that does nothing, and one with a durable INSERT a request.

Started by the benchmark as a server process: ``python ceilings.py PORT [DATABASE_URL]``.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Body(BaseModel):
    step: int
    value: float


class Answer(BaseModel):
    verdict: str


def connect(url: str) -> Any:
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    else:
        import psycopg

        connection = psycopg.connect(url, autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS ceiling (step INTEGER, value FLOAT)")
    return connection


def main(port: int, url: str | None) -> None:
    app = FastAPI()
    connection = connect(url) if url else None
    mark = "?" if url and url.startswith("sqlite") else "%s"
    insert = f"INSERT INTO ceiling (step, value) VALUES ({mark}, {mark})"

    @app.post("/noop")
    async def noop(body: Body) -> Answer:
        return Answer(verdict="continue")

    @app.post("/insert")
    async def durable(body: Body) -> Answer:
        connection.execute(insert, (body.step, body.value))
        return Answer(verdict="continue")

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        loop="uvloop",
        http="httptools",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
