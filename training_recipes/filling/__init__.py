"""Filling a cache with clips of a generator: gates, labels, masks and the report."""
