"""Benchmarks: each prints JSON; `python -m benchmarks.summary` makes the README's table of most."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
