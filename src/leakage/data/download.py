"""Download the public datasets, verified, into the layout that `leakage.data` reads."""

import argparse
import gzip
import json
import os
import re
import shutil
import stat
import sys
import tarfile
import tempfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pooch
import requests
from PIL import Image
from tqdm import tqdm

from leakage import paths
from leakage.data import sources
from leakcard import images
from leakcard.files import open_atomic, write_json

NUM_CONNECTIONS = 6
NUM_RETRIES = 3
TIMEOUT_SECONDS = 60
# Archives on their way, and receipts of those that were unpacked.
WORK_FOLDER = ".downloads"
# A margin for the file system's own needs.
FREE_SPACE_FACTOR = 1.05
# What the standard library raises for a damaged zip, tar or gzip file.
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)


class DownloadError(RuntimeError):
    """A dataset could not be fetched; the message says what to do."""


def _get_url(file, base_url):
    # A mirror has the layout of a data folder, with archives at its top.
    return f"{base_url.rstrip('/')}/{sources.quote(file.target)}" if base_url else file.url


def _download(file, folder, base_url, show_progress=False):
    """Fetch one file unless a verified copy is there; nothing else is left behind."""
    url = _get_url(file, base_url)

    def download(url, output_file, fetcher):
        """As pooch does, with a check of the size and no retries where they cannot help."""
        http = pooch.HTTPDownloader(progressbar=show_progress, timeout=TIMEOUT_SECONDS)
        try:
            http(url, output_file, fetcher)
        except requests.HTTPError as error:
            status = error.response.status_code
            if 400 <= status < 500 and status not in (408, 429):
                raise DownloadError(
                    f"The server does not have a file: {url} (HTTP {status}). Expected "
                    f"{file.target}. The address may have moved: see data/README.md for the "
                    f"source, or give a mirror with --base-url"
                ) from error
            raise
        size = os.path.getsize(output_file)
        if file.num_bytes not in (None, size):
            raise ValueError(f"received {size} bytes where {file.num_bytes} were expected")

    known_hash = f"sha256:{file.sha256}" if file.sha256 else None
    fetcher = pooch.create(
        path=folder,
        base_url="",
        registry={file.target: known_hash},
        urls={file.target: url},
        retry_if_failed=NUM_RETRIES,
    )
    try:
        return Path(fetcher.fetch(file.target, downloader=download))
    except (ValueError, requests.RequestException) as error:
        raise DownloadError(
            f"A file could not be fetched in {NUM_RETRIES + 1} attempts: {url}. Expected "
            f"{file.num_bytes or 'some'} bytes with sha256 {file.sha256 or '(not published)'}. "
            f"Run the command again: what is verified is not fetched again. Received: {error}"
        ) from error


def _is_verified(file, data_dir):
    path = data_dir / file.target
    return (
        path.is_file()
        and path.stat().st_size == file.num_bytes
        and pooch.file_hash(str(path), alg="sha256") == file.sha256
    )


def _fetch_files(files, data_dir, base_url, source):
    description = f"{source}: {sum(file.num_bytes for file in files) / 1e6:.0f} MB"
    for folder in {(data_dir / file.target).parent for file in files}:
        folder.mkdir(parents=True, exist_ok=True)  # pooch's own attempts would collide
    with ThreadPoolExecutor(max_workers=NUM_CONNECTIONS) as pool:
        futures = [pool.submit(_download, file, data_dir, base_url) for file in files]
        try:
            for future in tqdm(as_completed(futures), description, len(futures), leave=False):
                future.result()
        finally:  # after an error, what has not begun is not begun
            pool.shutdown(cancel_futures=True)


def _read_members(archive):
    """Yield name and content of the files of an archive; a link or a device is not a file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                if not member.is_dir() and not stat.S_ISLNK(member.external_attr >> 16):
                    yield member.filename, packed.open(member)
    elif archive.name.endswith(".tar.gz") or tarfile.is_tarfile(archive):
        with tarfile.open(archive) as packed:
            for member in packed:
                if member.isfile():
                    yield member.name, packed.extractfile(member)
            # tarfile stops before gzip's checksum, which is at the very end.
            while packed.fileobj.read(1 << 20):
                pass
    else:
        with gzip.open(archive) as packed:
            yield archive.stem, packed


def _unpack(archive, staging, members):
    """Unpack the files whose name matches a pattern, each to where the first group says.

    Only plain files are made, and only inside the folder, on every Python: the filters of
    `tarfile` came with 3.11.4, and `zipfile` has none.
    """
    pattern, staging, found = re.compile(members), staging.resolve(), {}
    for name, content in _read_members(archive):
        if match := pattern.fullmatch(name):
            path = (staging / match[1]).resolve()
            if not path.is_relative_to(staging):
                raise DownloadError(
                    f"An archive tries to write outside its folder and was deleted: {archive}. "
                    f"Expected relative names. Report where it came from. Received: {name!r}"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as plain:
                shutil.copyfileobj(content, plain)
            found[match[1]] = path
    return found


def _write_mask(source, target):
    """Write an image of a mask as 0/255 PNG; some of the originals are JPEG."""
    mask = np.where(images.decode_image(source)[..., 0] >= 128, 255, 0).astype(np.uint8)
    with open_atomic(target, "wb") as stream:
        Image.fromarray(mask).save(stream, format="PNG")


def _read_receipt(file, data_dir):
    path = data_dir / WORK_FOLDER / f"{file.target}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _is_unpacked(file, data_dir):
    """Whether every member is where the receipt of its archive says, in its size."""
    members = _read_receipt(file, data_dir).get("members", {})
    places = [(data_dir / name, size) for name, size in members.items()]
    return bool(places) and all(p.is_file() and p.stat().st_size == size for p, size in places)


def _fetch_archive(file, data_dir, base_url):
    work = data_dir / WORK_FOLDER
    archive = _download(file, work, base_url, show_progress=True)
    digest = pooch.file_hash(str(archive), alg="sha256")
    # Where no hash is published, the first one downloaded is what later ones are compared with.
    first = _read_receipt(file, data_dir).get("sha256", digest)
    if digest != first:
        raise DownloadError(
            f"An archive differs from the one downloaded before: {archive}. Expected sha256 "
            f"{first}. If its publisher has changed it, delete {archive.name}.json beside it. "
            f"Received: {digest}"
        )
    with tempfile.TemporaryDirectory(dir=work) as staging:
        try:
            members = _unpack(archive, Path(staging), file.members)
        except DAMAGED as error:
            archive.unlink()
            raise DownloadError(
                f"An archive is damaged and was deleted: {archive}. Run the command again. "
                f"Received: {error}"
            ) from error
        except DownloadError:
            archive.unlink()
            raise
        if not members or file.num_members not in (None, len(members)):
            raise DownloadError(
                f"An archive has other contents than expected: {archive}. Expected "
                f"{file.num_members or 'some'} members like {file.members!r}. Delete it and run "
                f"the command again. Received: {len(members)}"
            )
        sizes = {}
        for name, path in members.items():
            name = f"{Path(name).stem}.png" if file.as_masks else name
            target = data_dir / file.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (_write_mask if file.as_masks else os.replace)(path, target)
            sizes[target.relative_to(data_dir).as_posix()] = target.stat().st_size
    # The receipt comes last: without it the archive counts as not unpacked.
    receipt = {"url": _get_url(file, base_url), "sha256": digest, "members": sizes}
    write_json(work / f"{file.target}.json", receipt)
    archive.unlink()


def _check_space(files, archives, data_dir):
    packed = [file.num_bytes or sources.NIH_ARCHIVE_BYTES for file in archives]
    # One archive at a time lies beside what is unpacked from all of them.
    needed = sum(file.num_bytes for file in files) + sum(packed) + max(packed, default=0)
    free = shutil.disk_usage(data_dir).free
    if needed * FREE_SPACE_FACTOR > free:
        raise DownloadError(
            f"The disk of {data_dir} is too full. Expected {needed / 1e9:.1f} GB of free space. "
            f"Free some or choose another folder with --data-dir. Received: {free / 1e9:.1f} GB"
        )


def _check_complete(data_dir):
    """Compare the full NIH set with its table."""
    table = (data_dir / "nih" / "Data_Entry_2017_v2020.csv").read_text(encoding="utf-8")
    names = {line.split(",")[0] for line in table.splitlines()[1:] if line}
    missing = sorted(names - {path.name for path in (data_dir / "nih" / "images").iterdir()})
    if missing:
        raise DownloadError(
            f"The NIH images are not complete. Expected {len(names)} in {data_dir / 'nih/images'}."
            f" Delete the .json files of {data_dir / WORK_FOLDER} and run the command again. "
            f"Received: {len(missing)} are missing, such as {missing[0]}"
        )


def fetch(source, data_dir=None, base_url=None):
    """Download one dataset; what is there and verified is not fetched again.

    Parameters
    ----------
    source : {"cohen", "kermany", "wolf_husky", "nih", "nih_full"}
        The dataset; `nih` is the subset of Ozturk et al., `nih_full` all 42 GB.
    data_dir : str or Path, optional
        Folder for all datasets; `paths.get_data_dir()` by default.
    base_url : str, optional
        Address of a mirror with the layout of a data folder and the archives at its top.

    Returns
    -------
    dict of str to int
        `num_files` of the source, and `num_fetched` of them now.

    Raises
    ------
    DownloadError
        If a file is missing, damaged or does not fit on the disk. Nothing unverified is left
        under a final name.
    ValueError
        For an unknown source.
    """
    wanted = sources.list_files(source)
    data_dir = Path(data_dir or paths.get_data_dir())
    data_dir.mkdir(parents=True, exist_ok=True)
    files = [f for f in wanted if f.members is None and not _is_verified(f, data_dir)]
    archives = [f for f in wanted if f.members is not None and not _is_unpacked(f, data_dir)]
    _check_space(files, archives, data_dir)
    if files:
        _fetch_files(files, data_dir, base_url, source)
    for archive in archives:
        _fetch_archive(archive, data_dir, base_url)
    if source == "nih_full":
        _check_complete(data_dir)
    return {"num_files": len(wanted), "num_fetched": len(files) + len(archives)}


def main(arguments=None):
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser("./run_all.sh setup", description=__doc__)
    parser.add_argument("sources", nargs="+", choices=list(sources.SOURCES))
    parser.add_argument("--data-dir", type=Path, default=paths.get_data_dir())
    parser.add_argument("--base-url", help="a mirror with the layout of a data folder")
    options = parser.parse_args(arguments)
    pooch.get_logger().setLevel("WARNING")  # it names every file
    for source in options.sources:
        try:
            done = fetch(source, options.data_dir, options.base_url)
        except (DownloadError, OSError) as error:
            print(f"{source}: {error}", file=sys.stderr)
            return 1
        counts = f"{done['num_files']} files, {done['num_fetched']} fetched now"
        print(f"{source}: {counts}, in {options.data_dir}. Licence and terms: data/README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
