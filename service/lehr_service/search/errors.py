"""The one way in which a search refuses."""

from __future__ import annotations


class SearchError(Exception):
    """The sampler, the pruner or what they were given is at fault; the message is for people."""
