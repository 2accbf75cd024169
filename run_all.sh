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
log=$venv.log
supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

# glibc gives freed memory back page by page: a fifth of the time of a search for copies.
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-268435456}"
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-33554432}"

say() { printf 'run_all.sh: %s\n' "$*" >&2; }
fail() { say "error: $1"; shift; for line in "$@"; do printf '    %s\n' "$line" >&2; done; exit 1; }
works() { "$@" >/dev/null 2>&1; }

on_colab() { [ -n "${COLAB_RELEASE_TAG:-}" ] || works python3 -c 'import google.colab'; }
has_gpu() { works nvidia-smi; }

# Prints nothing; a line a minute says that it lives. What the command prints is in the log.
quietly() {
    "$@" </dev/null >>"$log" 2>&1 &
    job=$!
    trap 'kill $job; exit 130' INT TERM # a job in the background does not hear Ctrl-C itself
    seconds=0
    while kill -0 $job 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 60)) -gt 0 ] || say "$((seconds / 60)) min: $(tail -n 1 "$log" | cut -c 1-100)"
    done
    trap - INT TERM
    wait $job
}

# Colab's own packages are left where they are: installing a full lock there breaks it.
set_up_colab() {
    python=python3
    export PYTHONPATH="$root/src${PYTHONPATH:+:$PYTHONPATH}"
    held=$(mktemp) && wanted=$(mktemp) && missing=$(mktemp)
    # no addresses, and no versions of Debian's kind, which pip takes for no constraint
    python3 -m pip freeze --all | grep -E '^[A-Za-z0-9._-]+==[0-9]' >"$held"
    # several distributions bring cv2, and any will do
    works grep -i '^opencv' "$held" && any='^opencv' || any='^$'
    sed "s/ *#.*//; /^\$/d; /$any/d" "$root/requirements.txt" >"$wanted"
    while read -r line; do
        tr _ - <"$held" | grep -qi "^${line%%[<>=]*}==" || echo "$line"
    done <"$wanted" >"$missing"
    if [ -s "$missing" ]; then
        say "Colab: installing only what is missing: $(tr '\n' ' ' <"$missing")"
        python3 -m pip install --quiet --constraint "$held" --requirement "$missing" ||
            fail "pip could not install what is missing" \
                "See its message above. If it is the network: run the cell again."
    fi
    # Installs nothing: pip says where what is there lies outside the tested ranges.
    note=$(python3 -m pip install --dry-run --no-deps -c "$held" -r "$wanted" 2>&1 | tr -s ' \n' ' ' |
        sed -n 's/.*The user requested \(.*\)  *The user requested (constraint) \([^ ]*\).*/\1 but Colab has \2/p')
    [ -z "$note" ] || say "note: tested with $note"
    rm -f "$held" "$wanted" "$missing"
}

make_venv() { # returns 1 where no supported Python is found
    if works command -v uv; then # with pip, for what a reader adds
        uv venv --quiet --clear --seed --python "${LEAKAGE_PYTHON:->=3.11,<3.14}" "$venv" && return 0
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

install() {
    if works command -v uv; then quietly uv pip install --python "$python" "$@"
    else quietly "$python" -m pip install --disable-pip-version-check --no-compile "$@"; fi
}

install_lock() {
    part=$(mktemp)
    if [ "$scope" = test ]; then cat "$lock"; else sed '/^# Tests and tools/q' "$lock"; fi >"$part"
    install --no-deps --require-hashes --requirement "$part" || return 1
    rm -f "$part"
    # Once, on all cores, and also where Python may not write .pyc files: else every start of
    # TensorFlow would compile for seconds. Some packages' tests are meant not to compile.
    quietly "$python" -m compileall -q -j 0 -x '/tests?/' "$venv"/lib/python*/site-packages "$root/src" || true
    quietly "$python" -m pip install --no-deps --no-build-isolation --editable "$root"
}

install_cuda() {
    pins=$(mktemp) # the lock without hashes
    sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' "$lock" >"$pins"
    say "nvidia-smi works: installing TensorFlow's CUDA libraries (some GB)"
    install --constraint "$pins" "tensorflow[and-cuda]" ||
        say "warning: the CUDA libraries could not be installed (log: $log); the runs use the CPU"
    rm -f "$pins"
    TF_CPP_MIN_LOG_LEVEL=3 "$python" - <<'PYTHON' || say "warning: the GPU self-check failed"
import tensorflow as tf

gpus = tf.config.list_logical_devices("GPU")
for gpu in gpus:
    with tf.device(gpu.name):
        total = float(tf.reduce_sum(tf.ones((256, 256)) @ tf.ones((256, 256))))
    print(f"GPU self-check: {gpu.name} computes {'correctly' if total == 256.0**3 else 'WRONG'}")
if not gpus:
    print("GPU self-check: TensorFlow sees no GPU (driver too old?). The runs use the CPU.")
PYTHON
}

set_up_venv() { # $1: run or test
    python=$venv/bin/python scope=$1
    usable() { works "$python" -c "$supported; import pip"; }
    gpu=no; ! has_gpu || gpu=yes
    chosen=python=${LEAKAGE_PYTHON:-any}
    held=$(cat "$state" 2>/dev/null || true)
    # What is there stays: a checkout may be shared by a login node and by workers with a GPU.
    case $held in *" gpu=yes "*) gpu=yes ;; esac
    case $held in *" scope=test "*) scope=test ;; esac
    wanted="lock=$(cksum <"$lock") project=$(cksum <"$root/pyproject.toml")"
    wanted="$wanted scope=$scope gpu=$gpu $chosen root=$root"
    if [ "$held" = "$wanted" ] && usable; then return 0; fi
    if [ -z "$held" ] && [ -e "$venv" ]; then
        fail "$venv exists and was not made by this script; it is left alone" \
            "Fix: move it away, or name another folder: LEAKAGE_VENV=/some/folder ./run_all.sh"
    fi
    mkdir -p "$(dirname "$venv")" && echo unfinished >"$state" && : >"$log" ||
        fail "cannot write to $(dirname "$venv")" "Fix: name another folder: LEAKAGE_VENV=/some/folder"
    SECONDS=0
    # What was interrupted may lie there half-installed: begin again, packages come from the cache.
    case $held in
        *" $chosen "*) ! usable || say "bringing $venv up to date (log: $log)" ;;
        *) held= ;;
    esac
    if [ -z "$held" ] || ! usable; then
        say "setting up $venv, once: 0.7 GB to fetch, 3 GB on disk, some minutes (log: $log)"
        make_venv || explain_missing_python
    fi
    if ! install_lock; then
        tail -n 12 "$log" | sed 's/^/    /' >&2
        fail "the packages of requirements.lock could not be installed" \
            "Above: the end of $log. It needs the network (the package registry) and 3 GB of disk." \
            "Then call this again, it starts over by itself."
    fi
    [ "$gpu" = no ] || install_cuda
    echo "$wanted" >"$state"
    say "set up in $SECONDS s"
}

set_up() { if on_colab; then set_up_colab; else set_up_venv "$1"; fi; }

print_help() { sed -n '2,/^set -eu/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'; }

run_tests() {
    set -- -c "$root/pyproject.toml" --rootdir "$root" "$@"
    for word in "${@:5}"; do # a path among the words says what to run; else it is everything
        case $word in -*) continue ;; esac
        [ ! -e "${word%%::*}" ] || exec "$python" -m pytest "$@"
    done
    exec "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$root/tests" "$@"
}

case ${1:-demo} in
    -h | --help | help) print_help ;;
    setup)
        shift
        set_up run
        [ $# -gt 0 ] || { say "ready: $("$python" --version)"; exit 0; }
        exec "$python" -P -m leakage.data.download "$@"
        ;;
    test) shift; set_up test; run_tests "$@" ;;
    demo | smoke | paper | sweep | -*) set_up run; exec "$python" -P -m leakage.run "$@" ;;
    *) say "error: no command '$1'; the commands are demo, paper, smoke, sweep, test and setup"; print_help; exit 2 ;;
esac
