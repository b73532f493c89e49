"""Databases that are still empty: here it matters who makes their tables."""

import pytest


@pytest.fixture
def database_is_empty():
    return True
