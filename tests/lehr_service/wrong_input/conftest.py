"""A server with each database, and one for what never comes as far as the database."""

import pytest


@pytest.fixture
def http(serve, database_url):
    return serve(database_url=database_url, body_bytes=100_000).http


@pytest.fixture
def quick(serve):
    """A server on SQLite, for what never comes as far as the database."""
    return serve(body_bytes=100_000).http
