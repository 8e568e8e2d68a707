"""Weights that others published, as pipelines and networks of this package."""
