"""What the control notebook does around python-chi: choose a node, write commands, read answers.

Standard library only, and nothing of this project: Chameleon's shared Jupyter server has one core
and 1 GB of memory. It drives; the work runs on the node. Only `wait_for_run` talks to the testbed,
through the server it is given. Written against python-chi 1.2.10 and fabric 3.2.3.
"""

import shlex
import tarfile
import time
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]  # the checkout on the Jupyter server
NODE_SCRIPT = Path(__file__).with_name("node.sh")
ARCHIVE = "results.tgz"
POLL_SECONDS = 60


def make_folder(run_name):
    """Make the folder of a run in the checkout on this server; git keeps only its numbers."""
    folder = ROOT / "results" / run_name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def choose_node_type(free_types, wanted):
    """Choose the first wanted type that has a free node.

    Parameters
    ----------
    free_types : list of str
        The type of every free node, such as `"gpu_rtx_6000"`; repeated as often as it is free.
    wanted : list of str
        Types in order of preference.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If no node of these types is free.
    """
    for node_type in wanted:
        if node_type in free_types:
            return node_type
    raise ValueError(
        f"No wanted node is free at this site now. Expected one of: {', '.join(wanted)}. Wait, "
        f"look at the host calendar, or change `node_types` or `site`. "
        f"Received, free: {', '.join(sorted(set(free_types))) or 'none'}"
    )


def check_status(what, status, wanted="ACTIVE"):
    """Refuse a lease or server that did not start: python-chi waits until it does, or fails.

    Raises
    ------
    ValueError
        If `status` is not `wanted`.
    """
    if status != wanted:
        raise ValueError(
            f"The {what} did not start. Expected the status {wanted}. Delete it in the web "
            f"interface and run its cell again. Received: {status}"
        )


def build_start_command(run_name, repository, commit, datasets, arguments, restart=False):
    """Build the command that starts the run on the node: checkout, set-up, download, run.

    Parameters
    ----------
    run_name : str
        The run's folder in `results/`.
    repository, commit : str
        Address of the repository, and a branch, tag or commit of it.
    datasets : list of str
        Names for `./run_all.sh setup`, such as `"cohen"`; may be empty.
    arguments : list of str
        What follows `./run_all.sh`, such as `["paper"]`, without `--name`.
    restart : bool
        Begin again though the same run has ended before; what was complete then is kept.

    Returns
    -------
    str
        For a shell: every word quoted.
    """
    words = [run_name, repository, commit, " ".join(datasets), *arguments]
    return shlex.join(["bash", NODE_SCRIPT.name, "restart" if restart else "start", *words])


def build_state_command():
    """Build the command that asks the node how far the run is."""
    return shlex.join(["bash", NODE_SCRIPT.name, "state"])


def build_pack_command(run_name):
    """Build the command that packs a run's results on the node, as `ARCHIVE`.

    What git would let you commit is packed: of a run on real data its numbers and report cards,
    never a picture of a patient.
    """
    return shlex.join(["bash", NODE_SCRIPT.name, "pack", run_name])


def read_state(text):
    """Read the node's answer to `build_state_command`.

    Returns
    -------
    dict
        `state`: "not started", "running", "finished", "failed" (a notebook or the set-up) or
        "lost" (it ended without saying how); `exit_code`: int or None; `log`: its last lines.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    lines = text.splitlines()
    found = dict(line.partition("=")[::2] for line in lines[:3])
    if list(found) != ["exit", "alive", "begun"]:
        raise ValueError(
            f"The node's answer cannot be read. Expected three lines, exit=, alive=, begun=. Run "
            f"the cell again. Received: {text[:200]!r}"
        )
    exit_code = int(found["exit"]) if found["exit"] else None
    if exit_code is not None:
        state = "failed" if exit_code else "finished"
    elif found["begun"] == "no":
        state = "not started"
    else:
        state = "running" if found["alive"] == "yes" else "lost"
    return {"state": state, "exit_code": exit_code, "log": "\n".join(lines[3:])}


def wait_for_run(server, minutes, say=print):
    """Look at the run once a minute until it ends or the time is over.

    Each look is a connection of its own: a run takes hours, and connections break.

    Parameters
    ----------
    server : chi.server.Server
        The node.
    minutes : float
        For how long; 0 looks once.
    say : callable, optional
        What to do with the last line of the log.

    Returns
    -------
    dict
        As of `read_state`.
    """
    end = time.monotonic() + 60 * minutes
    while True:
        with server.ssh_connection() as node:
            state = read_state(node.run(build_state_command(), hide=True).stdout)
        last = state["log"].splitlines()[-1:]
        say(": ".join([state["state"], *last]))
        if state["state"] != "running" or time.monotonic() >= end:
            return state
        time.sleep(POLL_SECONDS)


def check_ended(state):
    """Refuse to go on while the run is not over; a failed one is over, and may be looked at.

    Raises
    ------
    ValueError
        If it runs, was lost or never began.
    """
    if state["state"] not in ("finished", "failed"):
        raise ValueError(
            f"There is nothing to copy yet. Expected a run that has ended. If it is running, run "
            f"the cell before this one again later; else start it again. Received: "
            f"{state['state']}. Its log ends with:\n{state['log']}"
        )


def unpack_results(run_name):
    """Unpack the archive that lies in a run's folder into the checkout on this server.

    Returns
    -------
    list of str
        The files, relative to the checkout; sorted.

    Raises
    ------
    ValueError
        If the archive is empty, or if a file would leave the run's folder.
    """
    archive = make_folder(run_name) / ARCHIVE
    contents = {}
    with tarfile.open(archive) as packed:
        for member in packed.getmembers():
            place = PurePosixPath(member.name)
            inside = place.parts[:2] == ("results", run_name) and ".." not in place.parts
            if not (inside and member.isfile()):
                raise ValueError(
                    f"The archive holds what is no result. Expected plain files below "
                    f"results/{run_name}. Pack it again on the node. Received: {member.name}"
                )
            contents[place.as_posix()] = packed.extractfile(member).read()
    if not contents:
        raise ValueError(
            f"The archive is empty. Expected results in it. See run.log on the node, and whether "
            f"`run_name` is the one that ran. Received: {archive}"
        )
    for name, content in contents.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return sorted(contents)


def read_summary(run_name):
    """Read the summary of a run, its table of claims: Markdown.

    Raises
    ------
    ValueError
        If it is not there.
    """
    path = make_folder(run_name) / "summary.md"
    if not path.is_file():
        raise ValueError(
            f"The run has no summary. Expected: {path}. Copy the results again before you "
            f"release the node. Received: {sorted(p.name for p in path.parent.glob('*'))}"
        )
    return path.read_text(encoding="utf-8")
