"""Unpack archives from the net: nothing outside the folder, nothing half done."""

import gzip
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from leakcard import images

# What the standard library raises for a damaged zip, tar or gzip file.
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)


class UnsafeArchiveError(ValueError):
    """An archive has a member that would be written outside the folder."""


def _check_name(name, archive):
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise UnsafeArchiveError(
            f"An archive tries to write outside its folder: {archive}. Expected relative member "
            f"names. Delete the archive and report the address it came from. Received: {name!r}"
        )


def _unpack_zip(archive, folder, wanted):
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            _check_name(member.filename, archive)
        for member in packed.infolist():
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            if wanted(member.filename) and not member.is_dir() and not is_link:
                packed.extract(member, folder)


def _unpack_tar(archive, folder, wanted):
    # pooch's Untar has no filter on Python 3.11 and can be led out of its folder.
    with tarfile.open(archive) as packed:
        for member in packed:
            try:
                if tarfile.data_filter(member, str(folder)) is None:
                    continue
            except tarfile.FilterError as error:
                raise UnsafeArchiveError(
                    f"An archive tries to write outside its folder: {archive}. Delete it and "
                    f"report the address it came from. Received: {error}"
                ) from error
            if member.isfile() and wanted(member.name):
                packed.extract(member, folder, filter="data")
        # tarfile stops before gzip's checksum, which is at the very end.
        while packed.fileobj.read(1 << 20):
            pass


def _unpack_gzip(archive, folder):
    with gzip.open(archive) as packed, open(folder / archive.stem, "wb") as plain:
        shutil.copyfileobj(packed, plain)


def unpack(archive, staging, members):
    """Unpack those members of an archive that match a pattern.

    Parameters
    ----------
    archive : Path
        zip, tar (compressed or not) or gzip file.
    staging : Path
        An empty folder for what is unpacked.
    members : str
        Pattern that a member's whole name matches; its first group is where the member goes.

    Returns
    -------
    dict of str to Path
        Where each member goes, and where it is now.

    Raises
    ------
    UnsafeArchiveError
        If any member would leave the folder; nothing of a zip is unpacked then.
    One of `DAMAGED`
        If the archive is damaged.
    """
    pattern = re.compile(members)
    if zipfile.is_zipfile(archive):
        _unpack_zip(archive, staging, pattern.fullmatch)
    elif archive.name.endswith(".tar.gz") or tarfile.is_tarfile(archive):
        _unpack_tar(archive, staging, pattern.fullmatch)
    else:
        _unpack_gzip(archive, staging)
    found = {}
    for path in sorted(staging.rglob("*")):
        match = pattern.fullmatch(path.relative_to(staging).as_posix())
        if match and path.is_file() and not path.is_symlink():
            found[match.group(1)] = path
    return found


def write_mask(source, target):
    """Write an image of a mask as 0/255 PNG, in one step; some of the originals are JPEG."""
    mask = np.where(images.decode_image(source)[..., 0] >= 128, 255, 0).astype(np.uint8)
    temporary = Path(f"{target}.tmp")
    Image.fromarray(mask).save(temporary, format="PNG")
    os.replace(temporary, target)
