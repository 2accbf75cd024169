#!/usr/bin/env bash
# What the node does. The control notebook copies this file into the home folder there and calls it:
#
#   bash node.sh start NAME REPOSITORY COMMIT DATASETS [...]   ./run_all.sh [...] --name NAME, detached
#   bash node.sh restart ...                                   the same, though it has ended before
#   bash node.sh state                                         how far it is: three lines and a log
#   bash node.sh pack NAME                                     numbers and report cards: results.tgz
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
home=$PWD

# Its number may be another process's later, or linger: what has written its exit code has ended.
is_alive() { [ ! -e run.exit ] && kill -0 "$(cat run.pid 2>/dev/null)" 2>/dev/null; }

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
    start | restart) # what is under way, or has ended, is left alone; it outlives the connection
        how=$1
        shift
        if is_alive; then echo "runs already"; exit; fi
        words=$(printf '%s\n' "$@")
        if [ "$how" = start ] && [ -e run.exit ] && [ "$words" = "$(cat run.words 2>/dev/null)" ]; then
            echo "has ended already"
            exit
        fi
        rm -f run.exit
        printf '%s\n' "$@" >run.words
        setsid nohup bash node.sh run "$@" >run.log 2>&1 </dev/null &
        echo $! >run.pid
        echo started
        ;;
    run) shift; run "$@" ;;
    state)
        if is_alive; then alive=yes; else alive=no; fi # before its exit code, which it may write just now
        echo "exit=$(cat run.exit 2>/dev/null || true)"
        echo "alive=$alive"
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
