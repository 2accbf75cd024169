import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from leakage.data import download, sources


class Server(http.server.ThreadingHTTPServer):
    """Serves bytes by path; `failures` answers the first requests with an error status."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.failures, self.requests = {}, {}, []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.lstrip("/")
        self.server.requests.append(path)
        pending = self.server.failures.get(path, [])
        status = pending.pop(0) if pending else 200 if path in self.server.content else 404
        body = self.server.content.get(path, b"") if status == 200 else b"no"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # pooch waits between attempts
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def serve(server, monkeypatch):
    """Make a source "small" of the given content: {target: bytes}, options by target."""

    def serve(content, **options):
        server.content = dict(content)
        files = []
        for target, body in content.items():
            facts = {"num_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            facts |= options.get(target.replace(".", "_"), {})
            files.append(sources.RemoteFile(f"{server.url}/{target}", target, **facts))
        monkeypatch.setitem(sources.SOURCES, "small", lambda: files)
        return files

    return serve


def list_files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def make_tar(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, body in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            packed.addfile(entry, io.BytesIO(body))
    return stream.getvalue()


def make_zip(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, body in members.items():
            packed.writestr(name, body)
    return stream.getvalue()


def test_good_files_arrive_in_their_layout_and_are_not_fetched_again(server, serve, tmp_path):
    serve({"a/one.png": b"1" * 10, "a/two.png": b"2" * 20})
    assert download.fetch("small", tmp_path) == {"num_files": 2, "num_fetched": 2}
    assert list_files(tmp_path) == ["a/one.png", "a/two.png"]
    server.requests.clear()
    assert download.fetch("small", tmp_path)["num_fetched"] == 0
    assert server.requests == []


def test_many_files_of_one_new_folder_arrive_at_once(serve, tmp_path):
    serve({f"a/b/{number}.png": b"1" * 10 for number in range(60)})
    download.fetch("small", tmp_path)
    assert len(list_files(tmp_path / "a/b")) == 60


def test_a_file_damaged_on_disk_is_fetched_again(server, serve, tmp_path):
    serve({"one.png": b"1" * 10, "two.png": b"2" * 10})
    download.fetch("small", tmp_path)
    (tmp_path / "one.png").write_bytes(b"1" * 9 + b"x")
    server.requests.clear()
    assert download.fetch("small", tmp_path)["num_fetched"] == 1
    assert server.requests == ["one.png"] and (tmp_path / "one.png").read_bytes() == b"1" * 10


def test_a_flipped_byte_is_refused_and_nothing_is_left_behind(server, serve, tmp_path):
    serve({"one.png": b"1" * 10})
    server.content["one.png"] = b"1" * 9 + b"x"
    with pytest.raises(download.DownloadError, match="one.png.*sha256") as error:
        download.fetch("small", tmp_path)
    assert "4 attempts" in str(error.value) and list_files(tmp_path) == []


@pytest.mark.parametrize("known", [{}, {"sha256": None}])
def test_a_truncated_file_is_refused_with_and_without_a_known_hash(server, serve, tmp_path, known):
    serve({"one.png": b"1" * 10}, one_png=known)
    server.content["one.png"] = b"1" * 5
    with pytest.raises(download.DownloadError, match="5 bytes where 10"):
        download.fetch("small", tmp_path)
    assert list_files(tmp_path) == []


def test_a_missing_file_is_explained_after_one_request(server, serve, tmp_path):
    serve({"one.png": b"1" * 10})
    del server.content["one.png"]
    with pytest.raises(download.DownloadError, match=r"one\.png \(HTTP 404\).*--base-url"):
        download.fetch("small", tmp_path)
    assert server.requests == ["one.png"] and list_files(tmp_path) == []


def test_a_server_error_is_tried_again(server, serve, tmp_path):
    serve({"one.png": b"1" * 10})
    server.failures["one.png"] = [500, 503]
    download.fetch("small", tmp_path)
    assert server.requests == ["one.png"] * 3 and list_files(tmp_path) == ["one.png"]


def test_a_mirror_serves_the_layout_of_a_data_folder(server, serve, tmp_path):
    (file,) = serve({"a b/one.png": b"1" * 10})
    server.content = {"mirror/a%20b/one.png": b"1" * 10}
    download.fetch("small", tmp_path, base_url=f"{server.url}/mirror/")
    assert list_files(tmp_path) == ["a b/one.png"] and file.url not in server.requests


def test_a_zip_is_unpacked_once_without_what_does_not_belong(server, serve, tmp_path):
    members = {"X/chest/1.jpeg": b"one", "X/chest/2.jpeg": b"two", "__MACOSX/chest/1.jpeg": b"-"}
    options = {"members": r"X/(chest/.*)", "num_members": 2, "sha256": None}
    serve({"some.zip": make_zip(members)}, some_zip=options)
    download.fetch("small", tmp_path)
    assert list_files(tmp_path) == [".downloads/some.zip.json", "chest/1.jpeg", "chest/2.jpeg"]
    server.requests.clear()
    assert download.fetch("small", tmp_path)["num_fetched"] == 0 and not server.requests
    (tmp_path / "chest/2.jpeg").unlink()
    download.fetch("small", tmp_path)
    assert (tmp_path / "chest/2.jpeg").read_bytes() == b"two"


def test_an_archive_that_changed_since_its_first_use_is_refused(server, serve, tmp_path):
    options = {"members": "(.*)", "sha256": None}
    serve({"some.zip": make_zip({"1.jpeg": b"one"})}, some_zip=options)
    download.fetch("small", tmp_path)
    (tmp_path / "1.jpeg").unlink()
    server.content["some.zip"] = make_zip({"1.jpeg": b"two"})
    with pytest.raises(download.DownloadError, match="differs from the one downloaded before"):
        download.fetch("small", tmp_path)
    assert not (tmp_path / "1.jpeg").exists()


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png"])
@pytest.mark.parametrize(("file", "make"), [("some.zip", make_zip), ("some.tar.gz", make_tar)])
def test_an_archive_that_leaves_its_folder_is_refused(server, serve, tmp_path, name, file, make):
    data_dir = tmp_path / "data"
    body = make({"images/good.png": b"good", name: b"evil"})
    serve({file: body}, **{file.replace(".", "_"): {"members": "(.*)"}})
    with pytest.raises(download.DownloadError, match="outside its folder"):
        download.fetch("small", data_dir)
    assert list_files(data_dir) == []
    assert not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_link_or_a_device_in_an_archive_is_never_made(server, serve, tmp_path, kind):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        link, through = tarfile.TarInfo("images"), tarfile.TarInfo("images/1.png")
        link.type, link.linkname, through.size = kind, str(tmp_path / "outside"), 3
        packed.addfile(link)
        packed.addfile(through, io.BytesIO(b"one"))
    (tmp_path / "outside").mkdir()
    serve({"some.tar.gz": stream.getvalue()}, some_tar_gz={"members": "(.*)"})
    download.fetch("small", tmp_path / "data")
    assert list_files(tmp_path / "outside") == []
    images = tmp_path / "data" / "images"
    assert not images.is_symlink() and (images / "1.png").read_bytes() == b"one"


@pytest.mark.parametrize("name", ["some.zip", "some.tar.gz", "some.csv.gz"])
def test_a_damaged_archive_is_deleted_and_leaves_nothing(server, serve, tmp_path, name):
    noise = np.random.default_rng(0).bytes(5000)
    body = {
        "some.zip": make_zip({"1.png": noise}),
        "some.tar.gz": make_tar({"1.png": noise}),
        "some.csv.gz": gzip.compress(noise),
    }[name]
    damaged = body[:2000] + b"garbage" + body[2007:]
    serve({name: damaged}, **{name.replace(".", "_"): {"members": "(.*)"}})
    with pytest.raises(download.DownloadError, match="damaged and was deleted"):
        download.fetch("small", tmp_path)
    assert list_files(tmp_path) == []


def test_an_archive_with_too_few_members_is_refused(serve, tmp_path):
    options = {"members": "(.*)", "num_members": 2}
    serve({"some.zip": make_zip({"1.jpeg": b"one"})}, some_zip=options)
    with pytest.raises(download.DownloadError, match="Expected 2 members.*Received: 1"):
        download.fetch("small", tmp_path)
    assert not (tmp_path / "1.jpeg").exists()


def test_masks_become_black_and_white_png_named_by_the_stem(serve, tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.array([[3, 250]], dtype=np.uint8)).save(stream, format="JPEG")
    options = {"members": "(?i)m/(.*\\.jpg)", "folder": "masks", "as_masks": True}
    serve({"some.zip": make_zip({"m/a.JPG": stream.getvalue()})}, some_zip=options)
    download.fetch("small", tmp_path)
    mask = np.asarray(Image.open(tmp_path / "masks/a.png"))
    assert set(np.unique(mask)) <= {0, 255} and mask.shape == (1, 2)


def test_a_gzip_table_is_unpacked_under_its_own_name(serve, tmp_path):
    options = {"members": "(.*)", "folder": "nih"}
    serve({"t.csv.gz": gzip.compress(b"a,b\n")}, t_csv_gz=options)
    download.fetch("small", tmp_path)
    assert (tmp_path / "nih/t.csv").read_bytes() == b"a,b\n"


def test_a_full_disk_is_noticed_before_the_first_byte(server, serve, tmp_path, monkeypatch):
    serve({"one.png": b"1" * 10})
    usage = type("Usage", (), {"free": 5})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(download.DownloadError, match="too full"):
        download.fetch("small", tmp_path)
    assert server.requests == []


def test_the_command_line_reports_errors_with_a_status(server, serve, tmp_path, capsys):
    serve({"one.png": b"1" * 10})
    assert download.main(["small", "--data-dir", str(tmp_path)]) == 0
    assert "1 files, 1 fetched now" in capsys.readouterr().out
    del server.content["one.png"]
    assert download.main(["small", "--data-dir", str(tmp_path / "other")]) == 1
    assert "HTTP 404" in capsys.readouterr().err


def test_an_unknown_dataset_is_named():
    with pytest.raises(ValueError, match="Received: 'mnist'"):
        download.fetch("mnist")


def test_the_full_nih_set_is_compared_with_its_table(tmp_path):
    (tmp_path / "nih/images").mkdir(parents=True)
    (tmp_path / "nih/Data_Entry_2017_v2020.csv").write_text("header\n1_0.png,x\n2_0.png,y\n")
    (tmp_path / "nih/images/1_0.png").write_bytes(b"")
    with pytest.raises(download.DownloadError, match="1 are missing, such as 2_0.png"):
        download._check_complete(tmp_path)


def test_the_manifests_list_every_file_at_a_pinned_address_and_in_the_readers_layout():
    counts = {name: len(sources.list_files(name)) for name in sources.SOURCES}
    assert counts == {"cohen": 726, "kermany": 1, "wolf_husky": 240, "nih": 1001, "nih_full": 13}
    for name in ("cohen", "wolf_husky", "nih"):
        for file in sources.list_files(name):
            assert len(file.sha256) == 64 and file.num_bytes > 0
            assert any(len(part) == 40 for part in file.url.split("/"))
    nih = sources.list_files("nih")[1]
    assert nih.target.startswith("nih/images/") and "X-Ray%20Image%20DataSet" in nih.url
    assert sources.list_files("cohen")[1].target.startswith("covid-chestxray-dataset/images/")


@pytest.mark.shared
def test_what_the_shared_copy_left_unchanged_agrees_with_our_hashes(shared_dir):
    data = shared_dir / "data"
    wanted = [f for f in sources.list_files("wolf_husky") if "swap" in f.target]
    wanted.append(sources.list_files("cohen")[0])
    assert all(download._is_verified(file, data) for file in wanted)
