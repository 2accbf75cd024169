#!/usr/bin/env bash
# Sets up what is missing, then runs. Works from any folder, without root, on Linux, macOS and Colab.
#
#   ./run_all.sh                       all notebooks on phantoms (the profile `demo`), offline
#   ./run_all.sh paper --data-dir DIR  the notebooks' own defaults: the published study on real images
#   ./run_all.sh smoke                 the demo, tiny: does everything work?
#   ./run_all.sh sweep GRID.yaml       notebooks over a grid of parameters (--help: options, clusters)
#   ./run_all.sh test [...]            the tests; further words go to pytest
#   ./run_all.sh setup [cohen ...]     only the set-up, then the download of the named datasets
#   ./run_all.sh demo --help           all options of a run: --only, -p, --data-dir, --name, --jobs, --force
#
# The environment lives in .venv beside this file; LEAKAGE_VENV names another folder, and
# LEAKAGE_PYTHON the Python to make it with (such as python3.13).
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
lock=$root/requirements.lock
venv=${LEAKAGE_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
state=$venv.state # beside the folder, so that it also tells of a folder that was never finished
supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

say() { printf 'run_all.sh: %s\n' "$*" >&2; }
fail() { say "error: $1"; shift; for line in "$@"; do printf '    %s\n' "$line" >&2; done; exit 1; }
works() { "$@" >/dev/null 2>&1; }

on_colab() { [ -n "${COLAB_RELEASE_TAG:-}" ] || works python3 -c 'import google.colab'; }
has_gpu() { works nvidia-smi; }

print_pins() { # the lock without hashes: constraints for what is installed on top of it
    sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' "$lock"
}

# Colab's own packages are left where they are: installing a full lock there breaks it.
set_up_colab() {
    python=python3
    export PYTHONPATH="$root/src${PYTHONPATH:+:$PYTHONPATH}"
    held=$(mktemp) && missing=$(mktemp)
    python3 - "$root/requirements.txt" "$held" "$missing" <<'PYTHON'
import importlib.metadata, importlib.util, re, sys

from packaging import requirements, utils, version  # Colab's own, as of matplotlib and others

source, held, missing = sys.argv[1:]
installed = {}
for found in importlib.metadata.distributions():
    if found.metadata["Name"]:  # of two copies the first on the path is the one that is imported
        installed.setdefault(utils.canonicalize_name(found.metadata["Name"]), found.version)
if importlib.util.find_spec("cv2"):  # several distributions bring it; any will do
    installed.setdefault("opencv-contrib-python-headless", None)
# pip reads no other versions, such as Debian's own
pattern = re.compile(rf"\s*{version.VERSION_PATTERN}\s*", re.VERBOSE | re.IGNORECASE)
pins = {name: text for name, text in sorted(installed.items()) if text and pattern.fullmatch(text)}
lines = [line.split("#")[0].strip() for line in open(source)]
wanted = {utils.canonicalize_name(r.name): r for r in map(requirements.Requirement, filter(None, lines))}
for name, requirement in wanted.items():
    if name in pins and not requirement.specifier.contains(pins[name], prereleases=True):
        print(f"run_all.sh: note: Colab has {name} {pins[name]}; tested: {requirement.specifier}", file=sys.stderr)
open(missing, "w").write("".join(f"{r}\n" for name, r in wanted.items() if name not in installed))
open(held, "w").write("".join(f"{name}=={text}\n" for name, text in pins.items()))
PYTHON
    if [ -s "$missing" ]; then
        say "Colab: installing only what is missing: $(tr '\n' ' ' <"$missing")"
        python3 -m pip install --quiet --constraint "$held" --requirement "$missing" ||
            fail "pip could not install what is missing" \
                "See its message above. If it is the network: run the cell again."
    fi
    rm -f "$held" "$missing"
}

make_venv() { # prints nothing and returns 1 where no supported Python is found
    if works command -v uv; then
        uv venv --quiet --clear --python "${LEAKAGE_PYTHON:->=3.11,<3.14}" "$venv" && return 0
        say "uv found no Python 3.11-3.13; trying those on PATH"
    fi
    for candidate in ${LEAKAGE_PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        works "$candidate" -c "$supported" || continue
        rm -rf "$venv"
        "$candidate" -m venv "$venv" && return 0
        say "$candidate -m venv failed (on Debian and Ubuntu it needs the package python3-venv)"
    done
    return 1
}

explain_missing_python() {
    found=
    for candidate in python3.14 python3.10 python3 python; do
        works "$candidate" --version && found="$found $candidate = $("$candidate" --version 2>&1);"
    done
    fail "no usable Python 3.11, 3.12 or 3.13" \
        "Found:${found:- no Python at all}" \
        "Fix: install uv (https://docs.astral.sh/uv, no root needed; it brings a Python along)," \
        "or Python 3.11-3.13 with its venv module, and call this again."
}

# Where uv made the environment there is no pip in it; where pip made it, uv need not be there.
install() {
    if works command -v uv; then uv pip install --python "$venv/bin/python" "$@"
    else "$venv/bin/python" -m pip install --disable-pip-version-check "$@"; fi
}

install_lock() {
    if works command -v uv; then
        # Compiled once here, as pip does: where Python may not write its own .pyc files, every start
        # of TensorFlow would compile for seconds.
        uv pip sync --python "$venv/bin/python" --compile-bytecode --require-hashes "$lock" || return 1
    else
        install --require-hashes --requirement "$lock" || return 1
    fi
    install --quiet --no-deps --no-build-isolation --editable "$root"
}

install_cuda() {
    version=$(print_pins | sed -n 's/^tensorflow==//p')
    pins=$(mktemp)
    print_pins >"$pins"
    say "nvidia-smi works: installing TensorFlow $version's CUDA libraries (some GB)"
    install --constraint "$pins" "tensorflow[and-cuda]==$version" ||
        say "warning: the CUDA libraries could not be installed; the runs use the CPU"
    rm -f "$pins"
    TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON' || say "warning: the GPU self-check failed"
import tensorflow as tf

devices = tf.config.list_physical_devices("GPU")
print(f"GPU self-check: TensorFlow {tf.__version__} sees {len(devices)} GPU(s)")
for device in devices:
    with tf.device(device.name.replace("/physical_device:", "/")):
        total = float(tf.reduce_sum(tf.matmul(tf.ones((256, 256)), tf.ones((256, 256)))))
    name = tf.config.experimental.get_device_details(device).get("device_name", "unnamed")
    print(f"    {name}: {'computes correctly' if total == 256.0**3 else 'WRONG result'}")
if not devices:
    print("    nvidia-smi works but TensorFlow sees no GPU: driver too old? The runs use the CPU.")
PYTHON
}

set_up_venv() {
    python=$venv/bin/python
    gpu=no; ! has_gpu || gpu=yes
    chosen=python=${LEAKAGE_PYTHON:-any}
    # A checkout may be shared: a login node without a GPU leaves the libraries of its workers there.
    case $(cat "$state" 2>/dev/null || true) in *" gpu=yes "*) gpu=yes ;; esac
    wanted="lock=$(cksum <"$lock") project=$(cksum <"$root/pyproject.toml") gpu=$gpu $chosen root=$root"
    held=$(cat "$state" 2>/dev/null || true)
    if [ "$held" = "$wanted" ] && works "$python" -c "$supported"; then return 0; fi
    if [ -z "$held" ] && [ -e "$venv" ]; then
        fail "$venv exists and was not made by this script; it is left alone" \
            "Fix: move it away, or name another folder: LEAKAGE_VENV=/some/folder ./run_all.sh"
    fi
    mkdir -p "$(dirname "$venv")" && echo unfinished >"$state" ||
        fail "cannot write to $(dirname "$venv")" "Fix: name another folder: LEAKAGE_VENV=/some/folder"
    say "setting up $venv (once; some minutes, about 2.5 GB)"
    # What was interrupted may lie there half-installed: begin again, packages come from the cache.
    case $held in *" $chosen "*) ;; *) held=unfinished ;; esac
    if [ "$held" = unfinished ] || ! works "$python" -c "$supported"; then
        make_venv || explain_missing_python
    fi
    install_lock || fail "the packages of requirements.lock could not be installed" \
        "It needs the network (the package registry) and about 2.5 GB of disk." \
        "Fix: see the message above; then call this again, it starts over by itself."
    [ "$gpu" = no ] || install_cuda
    echo "$wanted" >"$state"
}

set_up() { if on_colab; then set_up_colab; else set_up_venv; fi; }

print_help() { sed -n '2,/^set -eu/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'; }

run_tests() {
    for word in "$@"; do # a path among the words says what to run; else it is everything
        case $word in -*) ;; *) [ ! -e "${word%%::*}" ] || exec "$python" -m pytest -c "$root/pyproject.toml" --rootdir "$root" "$@" ;; esac
    done
    exec "$python" -m pytest -c "$root/pyproject.toml" --rootdir "$root" -n 2 --dist loadfile "$root/tests" "$@"
}

case ${1:-demo} in
    -h | --help | help) print_help ;;
    setup)
        shift
        set_up
        [ $# -gt 0 ] || { say "ready: $("$python" --version)"; exit 0; }
        exec "$python" -P -m leakage.data.download "$@"
        ;;
    test) shift; set_up; run_tests "$@" ;;
    sweep) shift; set_up; exec "$python" -P -m leakage.run sweep "$@" ;;
    demo | smoke | paper | -*) set_up; exec "$python" -P -m leakage.run "$@" ;;
    *) say "error: no command '$1'; the commands are demo, paper, smoke, sweep, test and setup"; print_help; exit 2 ;;
esac
