"""The control notebook for Chameleon, run against a stand-in for the testbed; and trovi.json."""

import ast
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import types
from pathlib import Path

import nbformat
import pytest
import testbed

from leakage import paths, run
from leakage.data import sources
from nbrun.command import parse_arguments

ROOT = paths.ROOT
FOLDER = ROOT / "notebooks" / "chameleon"
NOTEBOOK = FOLDER / "run_on_a_node.ipynb"
CELLS = nbformat.read(NOTEBOOK, as_version=4).cells
CODE = [cell for cell in CELLS if cell.cell_type == "code"]
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
# Stands in for the project on the node: writes what a run on real data writes.
RUN_ALL = """\
#!/usr/bin/env bash
set -eu
echo "run_all.sh $*"
[ "$1" = setup ] && exit 0
place=results/${@: -1}
mkdir -p "$place/02_x/figures" "$place/.run"
echo '# Results' >"$place/summary.md"; echo '[]' >"$place/02_x/metrics.json"
echo patient >"$place/02_x/figures/cam.png"; echo page >"$place/index.html"
echo state >"$place/.run/lock"
exit ${FAIL:-0}
"""


def has_tag(cell, tag):
    return tag in cell.metadata.get("tags", [])


@pytest.fixture
def control(tmp_path, monkeypatch):
    """The notebook's own module, as in a checkout in `tmp_path`."""
    place = tmp_path / "jupyter" / "notebooks" / "chameleon"
    place.mkdir(parents=True)
    for name in ("control.py", "node.sh"):
        shutil.copy2(FOLDER / name, place)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, "control", raising=False)
    import control

    monkeypatch.setattr(control, "POLL_SECONDS", 0.05)
    yield control
    sys.modules.pop("control", None)


@pytest.fixture
def repository(tmp_path):
    """A repository with the project's .gitignore and a run_all.sh that takes no time."""
    place = tmp_path / "repository"
    place.mkdir()
    (place / "run_all.sh").write_text(RUN_ALL)
    (place / "run_all.sh").chmod(0o755)
    shutil.copy2(ROOT / ".gitignore", place)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=place, check=True)
    return place.as_uri()


@pytest.fixture
def bed(tmp_path):
    return testbed.Testbed(tmp_path / "node")


class Session:
    """The notebook in one kernel: cells run in order, in one namespace."""

    def __init__(self, monkeypatch, bed, **values):
        for name, module in testbed.make_modules(bed).items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setenv("USER", "reader")
        self.values = {"wait_minutes": 1, "project": "CHI-1"} | values
        self.names = {}

    def run(self, cells=CODE):
        for cell in cells:
            exec(compile(cell.source, "<cell>", "exec"), self.names)
            if has_tag(cell, "parameters"):
                self.names |= self.values
        return self.names


def list_kinds(bed):
    return [kind for kind, _ in bed.calls]


def test_from_the_lease_to_the_results_and_back(control, bed, repository, monkeypatch, capsys):
    names = Session(monkeypatch, bed, repository=repository).run()
    assert list_kinds(bed) == [
        *("site", "project", "lease", "server", "address", "connect", "upload", "run"),
        *["run"] * (list_kinds(bed).count("run") - 2),  # one look after the other
        *("run", "get", "delete server", "delete lease"),
    ]
    told = dict(bed.calls)
    assert (told["site"], told["lease"]) == ("CHI@UC", "gpu_rtx_6000")
    assert (told["server"], told["delete server"]) == ("CC-Ubuntu24.04-CUDA", False)
    assert bed.leases == bed.servers == {}
    log = (bed.home / "run.log").read_text()
    assert log.splitlines()[-2:] == [
        "run_all.sh setup cohen kermany nih wolf_husky",
        "run_all.sh paper --name chameleon",
    ]
    assert names["state"]["state"] == "finished"
    assert "finished: run_all.sh paper" in capsys.readouterr().out


def test_numbers_come_back_and_no_picture_does(control, bed, repository, monkeypatch):
    names = Session(monkeypatch, bed, repository=repository).run()
    came = "results/chameleon/02_x/metrics.json", "results/chameleon/summary.md"
    assert tuple(names["files"]) == came
    assert (bed.home / "leakage/results/chameleon/02_x/figures/cam.png").exists()
    assert not list(control.ROOT.rglob("*.png")) + list(control.ROOT.rglob("*.html"))
    assert control.read_summary("chameleon") == "# Results\n"


def test_what_lies_here_afterwards_is_not_for_git(control, bed, repository, monkeypatch):
    Session(monkeypatch, bed, repository=repository).run()
    left = [p.relative_to(control.ROOT).as_posix() for p in control.ROOT.rglob("*") if p.is_file()]
    shutil.copy2(ROOT / ".gitignore", control.ROOT)
    git = ["git", "-C", control.ROOT]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.check_output([*git, "ls-files", "-o", "--exclude-standard", "results"])
    assert "results/chameleon/results.tgz" in left
    assert set(listed.decode().split()) == {
        "results/chameleon/02_x/metrics.json",
        "results/chameleon/summary.md",
    }


def test_a_notebook_that_failed_is_told_and_the_rest_comes_back(
    control, bed, repository, monkeypatch, capsys
):
    monkeypatch.setenv("FAIL", "1")
    names = Session(monkeypatch, bed, repository=repository).run()
    assert (names["state"]["state"], names["state"]["exit_code"]) == ("failed", 1)
    assert "failed, exit code 1" in capsys.readouterr().out
    assert len(names["files"]) == 2


def test_while_it_runs_the_node_is_kept_and_a_second_look_takes_it_up(
    control, bed, repository, monkeypatch
):
    wait = 'for _ in $(seq 600); do [ ! -e "$HOME/go" ] || break; sleep 0.1; done'
    busy = RUN_ALL.replace("place=", f"{wait}; place=", 1)
    place = Path(repository.removeprefix("file://"))
    (place / "run_all.sh").write_text(busy)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *who, "commit", "-qam", "y"], cwd=place, check=True)
    first = Session(monkeypatch, bed, repository=repository, wait_minutes=0)
    with pytest.raises(ValueError, match="nothing to copy yet.*Received: running"):
        first.run()
    assert not {"delete server", "delete lease"} & set(list_kinds(bed))
    bed.free_types = []  # by now all nodes are taken, one of them by us
    again = Session(monkeypatch, bed, repository=repository)
    (bed.home / "go").touch()
    assert again.run()["state"]["state"] == "finished"
    assert list_kinds(bed).count("lease") == list_kinds(bed).count("server") == 1
    assert (bed.home / "run.log").read_text().count("--name chameleon") == 1


def test_a_look_after_the_end_copies_the_results_and_begins_nothing(
    control, bed, repository, monkeypatch
):
    Session(monkeypatch, bed, repository=repository, release=False).run()
    log = bed.home / "run.log"
    log.write_text("untouched")
    again = Session(monkeypatch, bed, repository=repository, release=False, wait_minutes=0)
    assert again.run()["state"]["state"] == "finished" and log.read_text() == "untouched"
    for changed in ({"restart": True}, {"arguments": ["demo"]}):
        Session(monkeypatch, bed, repository=repository, release=False, **changed).run()
        assert "--name chameleon" in log.read_text()
        log.write_text("untouched")


@pytest.mark.parametrize("what", ["lease", "server"])
def test_what_does_not_start_ends_the_notebook_there(
    control, tmp_path, repository, monkeypatch, what
):
    bed = testbed.Testbed(tmp_path / "node", **{what: "ERROR"})
    with pytest.raises(ValueError, match=f"The {what} did not start.*ACTIVE.*Received: ERROR"):
        Session(monkeypatch, bed, repository=repository).run()
    assert "upload" not in list_kinds(bed)


def test_results_that_did_not_come_keep_the_node(control, bed, repository, monkeypatch):
    session = Session(monkeypatch, bed, repository=repository)
    empty = f"tar --create --file {control.ARCHIVE} --files-from /dev/null"
    monkeypatch.setattr(control, "build_pack_command", lambda name: empty)
    with pytest.raises(ValueError, match="The archive is empty"):
        session.run()
    assert not {"delete server", "delete lease"} & set(list_kinds(bed))


def test_the_node_can_be_kept(control, bed, repository, monkeypatch):
    Session(monkeypatch, bed, repository=repository, release=False, project="").run()
    assert "delete lease" not in list_kinds(bed) and ("project", None) in bed.calls


def test_cells_without_the_tag_run_without_a_testbed(control, bed, repository, monkeypatch):
    """What cells with the tag leave behind is plain data; given that, the others need no chi."""
    Session(monkeypatch, bed, repository=repository).run()  # leaves an archive to unpack
    for name in [name for name in sys.modules if name.split(".")[0] == "chi"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "chi", None)  # an import of it would fail
    session = Session.__new__(Session)
    session.values = {"repository": repository}
    session.names = {
        "free_types": ["compute_skylake", "gpu_v100", "gpu_v100"],
        "leased": False,
        "state": {"state": "finished", "exit_code": 0, "log": "done"},
    }
    names = session.run([cell for cell in CODE if not has_tag(cell, "testbed")])
    assert names["node_type"] == "gpu_v100" and len(names["files"]) == 2


def test_only_cells_with_the_tag_speak_to_the_testbed():
    words = re.compile(r"\b(chi|context|hardware|lease|server|my_lease|my_server|node)\b")
    for cell in CODE:
        used = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
        spoken = any(words.fullmatch(name) for name in used) or "from chi" in cell.source
        assert spoken == has_tag(cell, "testbed"), cell.source


def test_it_needs_the_standard_library_and_python_chi_and_no_more():
    allowed = sys.stdlib_module_names | {"chi", "control", "IPython"}
    for source in [*(cell.source for cell in CODE), (FOLDER / "control.py").read_text()]:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                found = [node.module] if isinstance(node, ast.ImportFrom) else names
                assert {name.split(".")[0] for name in found} <= allowed


def test_the_notebook_keeps_the_house_rules():
    tags = [tag for cell in CODE for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == 1 and set(tags) == {"parameters", "testbed"}
    for before, cell in zip(CELLS, CELLS[1:], strict=False):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown" or has_tag(before, "parameters")
            assert cell.outputs == [] and cell.execution_count is None
            assert len(cell.source.splitlines()) <= 25
            assert not re.search(r"^\s*(def |class |!|%)", cell.source, re.MULTILINE)
    (cell,) = [cell for cell in CODE if has_tag(cell, "parameters")]
    assert all(isinstance(line, ast.AnnAssign) for line in ast.parse(cell.source).body)
    assert all("  # " in line for line in cell.source.splitlines())


def test_defaults_name_what_there_is():
    names = {}
    exec(next(cell.source for cell in CODE if has_tag(cell, "parameters")), names)
    assert names["repository"] == ADDRESS and set(names["datasets"]) <= set(sources.SOURCES)
    words = [*names["arguments"], "--name", names["run_name"]]
    options = parse_arguments(run.make_project(), words)
    assert (options.profile, options.name) == ("paper", "chameleon")


def test_the_first_wanted_type_that_is_free_is_taken(control):
    choose = control.choose_node_type
    assert choose(["b", "a", "a"], ["c", "a", "b"]) == "a"
    with pytest.raises(ValueError, match="one of: c, d.*host calendar.*free: a, b"):
        choose(["b", "a", "a"], ["c", "d"])
    with pytest.raises(ValueError, match="Received, free: none"):
        choose([], ["c"])


@pytest.mark.parametrize(
    ("text", "state", "exit_code"),
    [
        ("exit=\nalive=no\nbegun=no\n", "not started", None),
        ("exit=\nalive=yes\nbegun=yes\n[02] runs\n", "running", None),
        ("exit=0\nalive=no\nbegun=yes\na\nb\n", "finished", 0),
        ("exit=2\nalive=no\nbegun=yes\nerror: no data\n", "failed", 2),
        ("exit=\nalive=no\nbegun=yes\nKilled\n", "lost", None),
    ],
)
def test_the_state_of_a_run_is_read(control, text, state, exit_code):
    found = control.read_state(text)
    assert (found["state"], found["exit_code"]) == (state, exit_code)
    assert found["log"].splitlines() == text.splitlines()[3:]
    if state in ("finished", "failed"):
        control.check_ended(found)
    else:
        with pytest.raises(ValueError, match=f"nothing to copy yet.*Received: {state}"):
            control.check_ended(found)


def test_an_answer_that_is_something_else_is_refused(control):
    with pytest.raises(ValueError, match="cannot be read.*Received: 'Welcome"):
        control.read_state("Welcome to Ubuntu\n")


def test_a_node_before_during_and_after_a_killed_run_says_so(control, bed, tmp_path):
    def ask():
        return control.read_state(bed.run(control.build_state_command()).stdout)

    shutil.copy2(control.NODE_SCRIPT, bed.home)
    assert ask() == {"state": "not started", "exit_code": None, "log": ""}
    tools = tmp_path / "tools"  # a clone that takes its time
    tools.mkdir()
    (tools / "git").write_text(
        "#!/bin/sh\n[ $1 = --version ] || { echo cloning; exec sleep 60; }\n"
    )
    (tools / "git").chmod(0o755)
    start = f"PATH={tools}:$PATH {control.build_start_command('x', 'y', 'main', [], ['demo'])}"
    assert [bed.run(start).stdout for _ in range(2)] == ["started\n", "runs already\n"]
    while (state := ask())["log"] == "":
        assert state["state"] == "running"
    bed.run("kill -9 -$(cat run.pid); while kill -0 $(cat run.pid) 2>/dev/null; do sleep 0.1; done")
    assert ask() == {"state": "lost", "exit_code": None, "log": "cloning"}


def test_a_set_up_that_fails_is_told_with_its_message(control, bed):
    shutil.copy2(control.NODE_SCRIPT, bed.home)
    bed.run(control.build_start_command("x", "file:///nowhere", "main", ["cohen"], ["paper"]))
    server = testbed.make_modules(bed)["chi.server"].Server("x")
    state = control.wait_for_run(server, minutes=1, say=lambda text: None)
    assert state["state"] == "failed" and state["exit_code"] == 128
    assert "does not exist" in state["log"] or "not appear to be a git" in state["log"]


def test_what_a_reader_types_reaches_the_shell_as_one_word(control, bed):
    odd = "a b'; touch $HOME/x"
    start = control.build_start_command(odd, odd, odd, [odd], [odd])
    assert shlex.split(start) == ["bash", "node.sh", "start", *[odd] * 5]
    assert shlex.split(control.build_pack_command(odd))[-1] == odd


def test_the_node_s_script_explains_itself(control, bed):
    done = subprocess.run(["bash", control.NODE_SCRIPT, "help"], capture_output=True, text=True)
    assert done.returncode == 2 and "bash node.sh pack NAME" in done.stdout


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "results/other/x", "results/chameleon/../../x", "link"]
)
def test_an_archive_that_reaches_outside_the_run_is_refused(control, name):
    folder = control.make_folder("chameleon")
    with tarfile.open(folder / control.ARCHIVE, "w:gz") as packed:
        if name == "link":
            entry = tarfile.TarInfo("results/chameleon/link")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        else:
            entry = tarfile.TarInfo(name)
            entry.size = 1
        packed.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(ValueError, match="holds what is no result"):
        control.unpack_results("chameleon")
    assert [path.name for path in folder.iterdir()] == [control.ARCHIVE]


def test_a_run_without_a_summary_is_told(control):
    with pytest.raises(ValueError, match="has no summary.*before you release the node"):
        control.read_summary("chameleon")


def list_parameters(function):
    """The parameters of a function, as JSON can hold them."""
    found = inspect.signature(function).parameters.values()
    return [[part.name, part.kind.name, repr(part.default)] for part in found]


COMPARE = f"""
import inspect, json, pkgutil, sys
{inspect.getsource(list_parameters)}
found = {{name: list_parameters(pkgutil.resolve_name(name)) for name in sys.argv[1:]}}
print(json.dumps(found))
"""


@pytest.mark.slow
def test_the_stand_ins_have_python_chis_own_signatures(bed, tmp_path):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv here, which gets python-chi for this test alone")
    members = testbed.list_members(testbed.make_modules(bed))
    assert len(members) >= 20
    packages = [f"--with={name}=={version}" for name, version in testbed.VERSIONS.items()]
    packages.append("--with=python-blazarclient")  # chi imports it without asking for it
    python = ["--python", sys.executable, "python", "-c", COMPARE, *members]
    command = [uv, "run", "--quiet", "--isolated", "--no-project", *packages, *python]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    if done.returncode and "Traceback" not in done.stderr:
        pytest.skip(f"python-chi cannot be had here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    ours = {name: list_parameters(member) for name, member in members.items()}
    assert json.loads(done.stdout) == ours


def test_a_call_that_python_chi_does_not_know_would_be_found(control, bed, monkeypatch):
    session = Session(monkeypatch, bed)
    session.run(CODE[:5])
    planted = types.SimpleNamespace(source="lease.Lease(name, days=1)", metadata={})
    with pytest.raises(TypeError, match="unexpected keyword argument 'days'"):
        session.run([planted])


@pytest.fixture(scope="module")
def crate():
    """Trovi's file as its importer reads it: the root dataset, its parts put in by their @id."""
    text = json.loads((ROOT / "trovi.json").read_text(encoding="utf-8"))
    assert text["@context"] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in text["@graph"]}


def test_trovi_finds_title_descriptions_and_tags_in_the_sizes_it_takes(crate):
    dataset = crate["./"]
    # ARTIFACT_TITLE_MAX_CHARS and the like of ChameleonCloud/trovi, as first released
    for key, most in {"name": 70, "disambiguatingDescription": 70, "description": 5000}.items():
        assert 0 < len(dataset[key]) <= most
    # importing fails on a tag that Trovi does not have; these are on published artifacts
    assert dataset["keywords"].split(",") == ["reproducible research", "education"]
    assert ADDRESS in dataset["description"]
    assert "notebooks/chameleon/run_on_a_node.ipynb" in dataset["description"]


def test_trovi_finds_authors_and_where_it_opens(crate):
    metadata = crate["trovi.json"]
    assert metadata["about"] == {"@id": "./"}
    assert metadata["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    authors = [crate[author["@id"]] for author in crate["./"]["author"]]
    citation = (ROOT / "CITATION.cff").read_text()
    for author in authors:
        assert author["@type"] == "Person" and f"- name: {author['name']}" in citation
        assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", author["email"])  # it wants one
    (place,) = [crate[part["@id"]] for part in crate["./"]["actionApplication"]]
    assert (place["@type"], place["trovi_type"]) == ("SoftwareApplication", "jupyterhub")
    assert json.loads(place["trovi_arguments"]) == {}


def test_trovi_cites_the_study_that_is_repeated(crate):
    from leakage import published

    cited = [crate[part["@id"]] for part in crate["./"]["citation"]]
    assert [part["identifier"] for part in cited] == ["10.3233/XST-200715"]
    assert "10.3233/XST-200715" in repr(vars(published))
