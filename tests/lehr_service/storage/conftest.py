"""Databases that are still empty: here it matters who makes their tables."""

import pytest

from lehr_service.settings import Settings
from lehr_service.storage.session import Database


@pytest.fixture
def database_is_empty():
    return True


@pytest.fixture
def database(database_url):
    """Open, with this version's tables."""
    found = Database(Settings(database_url=database_url).url)
    found.migrate()
    yield found
    found.close()
