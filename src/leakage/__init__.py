"""Reproduce, catch and correct a data leak in COVID-19 X-ray classification."""

__version__ = "0.1.0"
