"""A server with each database, and one where the database makes no difference."""

import pytest


@pytest.fixture
def server(serve, database_url):
    return serve(database_url=database_url, lease_seconds=30, heartbeat_seconds=10)


@pytest.fixture
def quick(serve):
    """A server on SQLite, where the database makes no difference."""
    return serve(lease_seconds=30, heartbeat_seconds=10)
