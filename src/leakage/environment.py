"""Describe the machine that a run depends on."""

import importlib.metadata
import os
import platform
import subprocess

PACKAGES = (
    "leakage tensorflow keras numpy pandas scipy scikit-learn statsmodels matplotlib "
    "opencv-contrib-python-headless opencv-contrib-python opencv-python-headless opencv-python "
    "pillow imagehash tf-keras-vis pooch joblib papermill nbconvert ipykernel"
).split()
# What decides whether two runs on one machine agree to the last bit.
DETERMINISM_VARIABLES = (
    "PYTHONHASHSEED",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)


def describe_environment():
    """Describe the machine and the versions that a run depends on.

    Returns
    -------
    dict
        python, platform, machine, num_cores, packages, gpus and the variables that decide
        determinism. No user, host or folder names.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(aliased=True, terse=True),
        "machine": platform.machine(),
        "num_cores": os.cpu_count(),
        "packages": _list_versions(),
        "gpus": _list_gpus(),
        "variables": {name: os.environ.get(name) for name in DETERMINISM_VARIABLES},
    }


def _list_versions():
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of several that bring cv2, or `leakage` on Colab: not installed
    return versions


def _list_gpus():
    command = [
        "nvidia-smi",
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader",
    ]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []  # no driver, no GPU
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
