#!/usr/bin/env bash
# What the node does. The control notebook copies this file into the home folder there and calls it:
#
#   bash node.sh start NAME REPOSITORY COMMIT DATASETS [...]   ./run_all.sh [...] --name NAME, detached
#   bash node.sh state                                         how far it is: three lines and a log
#   bash node.sh pack NAME                                     numbers and report cards: results.tgz
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
home=$PWD

is_alive() { kill -0 "$(cat run.pid 2>/dev/null)" 2>/dev/null; }

run() {
    trap 'echo $? >"$home/run.exit"' EXIT
    name=$1 repository=$2 commit=$3 datasets=$4
    shift 4
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
}

case ${1:-} in
    start) # a run that is under way is left alone; it outlives the connection
        shift
        if is_alive; then echo "runs already"; exit; fi
        rm -f run.exit
        setsid nohup bash node.sh run "$@" >run.log 2>&1 </dev/null &
        echo $! >run.pid
        echo started
        ;;
    run) shift; run "$@" ;;
    state)
        echo "exit=$(cat run.exit 2>/dev/null || true)"
        if is_alive; then echo alive=yes; else echo alive=no; fi
        if [ -e run.pid ]; then echo begun=yes; else echo begun=no; fi
        tail -n 5 run.log 2>/dev/null || true
        ;;
    pack) # what git would let you commit; pictures of patients stay here
        cd leakage
        git ls-files --cached --others --exclude-standard -z -- "results/$2" |
            tar --create --gzip --file "$home/results.tgz" --null --files-from -
        ;;
    *) sed -n '2,/^set -eu/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'; exit 2 ;;
esac
