"""Speed (`ancestor`, `audit`) and the search for copies (`calibrate_copies`), measured.

`python -m benchmarks.ancestor > results/benchmarks/ancestor.json`, the same for `audit`, and
`python -m leakage.readme README.md` renew the table of docs/speed.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
