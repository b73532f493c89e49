"""Recorded learning curves, replayed through the search on a virtual clock."""
