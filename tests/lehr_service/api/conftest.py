"""A server with each database, and one where the database makes no difference."""

import pytest


@pytest.fixture
def server(serve, database_url):
    return serve(database_url=database_url)


@pytest.fixture
def http(server):
    return server.http


@pytest.fixture
def quick(serve):
    """A server on SQLite, where the database makes no difference."""
    return serve().http
