"""Set a notebook up on Colab: clone the project, install what is missing, get the data.

The first cell of each notebook runs this text where it stands, with `address`, the repository, and
`datasets`, the names of what the notebook reads. It may run again, also after a restart.
"""

import os
import subprocess
import sys

if not os.path.isfile("../run_all.sh"):
    if not os.path.isdir("leakage"):
        subprocess.run(["git", "clone", "--depth", "1", address, "leakage"], check=True)  # noqa: F821
    os.chdir("leakage/notebooks")
subprocess.run(["bash", "../run_all.sh", "setup", *datasets], check=True)  # noqa: F821
sys.path.insert(0, "../src")
