#!/usr/bin/env bash
# What the node does, detached, one run at a time; what is complete is skipped by run_all.sh itself:
#
#   bash node.sh NAME REPOSITORY COMMIT DATASETS [...]      ./run_all.sh [...] --name NAME
#
# run.log says how far it is; run.exit holds its exit code once it has ended; run.lock is held until then.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
exec 9>run.lock
if ! flock --nonblock 9; then echo "runs already"; exit; fi
home=$PWD name=$1 repository=$2 commit=$3 datasets=$4
shift 4
rm -f run.exit
(
    trap '' HUP # it outlives the connection
    trap 'echo $? >"$home/run.exit"' EXIT
    if ! { git --version && python3 -c 'import ensurepip, venv'; } >/dev/null 2>&1; then
        # a fresh Ubuntu updates itself first: wait for that
        sudo apt-get -o DPkg::Lock::Timeout=600 -qq update
        sudo apt-get -o DPkg::Lock::Timeout=600 -qq --yes install git python3-venv
    fi
    [ -d leakage ] || git clone --quiet "$repository" leakage
    cd leakage
    git fetch --quiet origin "$commit"
    git checkout --quiet --detach FETCH_HEAD
    [ -z "$datasets" ] || ./run_all.sh setup $datasets # several words
    ./run_all.sh "$@" --name "$name"
) >run.log 2>&1 </dev/null &
echo started
