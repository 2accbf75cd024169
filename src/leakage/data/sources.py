"""Where the public datasets are, at pinned versions, and where their files go.

`data/README.md` has licences, terms and known problems; `data/manifests/` the size and sha256 of
every file that is downloaded by itself.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from leakage import paths

_RAW = "https://raw.githubusercontent.com"
COHEN_URL = f"{_RAW}/ieee8023/covid-chestxray-dataset/584034aa7fbf06496741f11008d72fd791c8e443"
WOLF_HUSKY_URL = (
    f"{_RAW}/shaivimalik/covid_illegitimate_features/d76e391d1ecf2f571d15005779a441f27a214a5f"
)
OZTURK_URL = (
    f"{_RAW}/muhammedtalo/COVID-19/ee3e2cffc0824711bed675275506b26f19be7198/"
    f"{quote('X-Ray Image DataSet')}"
)
# torchxrayvision keeps two small files that have no other stable address; each at the commit
# that added it. Sizes and hashes are those of the copies in its release 1.5.7.
_XRV = f"{_RAW}/mlmed/torchxrayvision"
MASKS_URL = (
    f"{_XRV}/913e4e0bdd289c2a9a0ce3678943f4089b4b284f/"
    "torchxrayvision/data/semantic_masks_v7labs_lungs.zip"
)
NIH_TABLE_URL = (
    f"{_XRV}/8ef884614164d54e2660947241ab0276b29526e9/"
    "torchxrayvision/data/Data_Entry_2017_v2020.csv.gz"
)
KERMANY_URL = (
    "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
    "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded"
)
_NIH_BOX = "https://nihcc.box.com/shared/static"
# In the order of the archives images_01 to images_12, as the NIH lists them.
NIH_ARCHIVES = (
    "vfk49d74nhbxq3nqjg0900w5nvkorp5c",
    "i28rlmbvmfjbl8p2n3ril0pptcmcu9d1",
    "f1t00wrtdk94satdfb9olcolqx20z2jp",
    "0aowwzs5lhjrceb3qp67ahp0rd1l1etg",
    "v5e3goj22zr6h8tzualxfsqlqaygfbsn",
    "asi7ikud9jwnkrnkj99jnpfkjdes7l6l",
    "jn1b4mw4n6lnh74ovmcjb8y48h8xj07n",
    "tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j",
    "upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj",
    "l6nilvfa9cg3s28tqv1qc1olm3gnz54p",
    "hhq8fkdgvcari67vfhs7ppg2w6ni4jze",
    "ioqwiy20ihqwyr8pf4c24eazhh281pbu",
)
# 42 GB in twelve (FACTS section 3); the single sizes are not published.
NIH_ARCHIVE_BYTES = 42_000_000_000 // 12


@dataclass(frozen=True)
class RemoteFile:
    """One file to download; of an archive, also what to unpack and where to."""

    url: str
    target: str  # where it goes, relative to the data folder; of an archive, its file name
    num_bytes: int | None = None  # exact, where known
    # Where no hash is published, the size and the archive's own checksums are verified, and the
    # hash of the first download is kept and compared with later ones.
    sha256: str | None = None
    # Of a zip, tar or gzip file: what a member's whole name matches; the first group is its path
    # below `folder`. A gzip file has one member, named as the file without `.gz`.
    members: str | None = None
    folder: str = ""  # relative to the data folder
    num_members: int | None = None  # how many there must be
    as_masks: bool = False  # write members as 0/255 PNG under `<stem>.png`


def _read_manifest(name, url, place):
    """List the files of a manifest; `place` maps an upstream path to a target or None."""
    path = paths.ROOT / "data" / "manifests" / name
    if not path.is_file():
        raise FileNotFoundError(
            f"The list of files to download was not found. Expected: {path}. Run from a checkout "
            f"of the project, which has data/manifests/. Found: root {paths.ROOT}"
        )
    with open(path, encoding="utf-8", newline="") as stream:
        rows = [(place(row["path"]), row) for row in csv.DictReader(stream)]
    return [
        RemoteFile(f"{url}/{quote(row['path'])}", target, int(row["num_bytes"]), row["sha256"])
        for target, row in rows
        if target is not None
    ]


def _list_cohen():
    folder = "covid-chestxray-dataset"
    metadata = RemoteFile(
        f"{COHEN_URL}/metadata.csv",
        f"{folder}/metadata.csv",
        496_254,
        "e46ffab4cdeb4866491d32afe466baefd7acbcf268a75c260f81d8520b8664a0",
    )
    masks = RemoteFile(
        MASKS_URL,
        "semantic_masks_v7labs_lungs.zip",
        2_074_945,
        "4ec292d919c2524032855fb071d3c0842b1ab5344357aaadc036b42d3ea0ded8",
        members=r"(?i)semantic_masks_v7labs_lungs/([^/]+\.(?:png|jpe?g))",
        folder=f"{folder}/lung_masks",
        num_members=517,
        as_masks=True,
    )
    images = _read_manifest("cohen_584034aa.csv", COHEN_URL, lambda path: f"{folder}/{path}")
    return [metadata, *images, masks]


def _list_kermany():
    # No hash is published: verified by its exact size (Mendeley), the zip's checksums and the
    # number of images (Kermany et al. 2018: 5,232 for training and 624 for testing).
    return [
        RemoteFile(
            KERMANY_URL,
            "ChestXRay2017.zip",
            num_bytes=1_235_512_464,
            members=r"(?:ChestXRay2017/)?(chest_xray/\w+/(?:NORMAL|PNEUMONIA)/[^./][^/]*\.jpe?g)",
            num_members=5_856,
        )
    ]


def _list_nih_table():
    return RemoteFile(
        NIH_TABLE_URL,
        "Data_Entry_2017_v2020.csv.gz",
        978_381,
        "9d4de640ee4f760215d8be98376b20387ca52f9c6b4d1b727cb588fb82f40b80",
        members="(.*)",
        folder="nih",
        num_members=1,
    )


def _place_ozturk(path):
    # The COVID-19 images of that collection are Cohen's, at an older version.
    found = re.fullmatch(r"(?:No_findings|Pneumonia)/([^/]+\.png)", path)
    return f"nih/images/{found.group(1)}" if found else None


def _list_nih():
    images = _read_manifest("nih_ozturk_ee3e2cf.csv", OZTURK_URL, _place_ozturk)
    return [_list_nih_table(), *images]


def _list_nih_full():
    # The NIH publishes neither sizes nor hashes of the archives: verified by gzip's checksums
    # and, when all are there, by the table (every image named in it must exist).
    archives = [
        RemoteFile(
            f"{_NIH_BOX}/{name}.gz",
            f"images_{number:02d}.tar.gz",
            members=r"(?:\./)?images/(\d+_\d+\.png)",
            folder="nih/images",
        )
        for number, name in enumerate(NIH_ARCHIVES, start=1)
    ]
    return [_list_nih_table(), *archives]


def _list_wolf_husky():
    return _read_manifest(
        "wolf_husky_d76e3911.csv", WOLF_HUSKY_URL, lambda path: f"wolf_husky/{path}"
    )


SOURCES = {
    "cohen": _list_cohen,
    "kermany": _list_kermany,
    "wolf_husky": _list_wolf_husky,
    "nih": _list_nih,
    "nih_full": _list_nih_full,
}


def list_files(source):
    """List what a source consists of.

    Parameters
    ----------
    source : {"cohen", "kermany", "wolf_husky", "nih", "nih_full"}
        The dataset.

    Returns
    -------
    list of RemoteFile

    Raises
    ------
    ValueError
        For an unknown source.
    FileNotFoundError
        If its manifest is absent.
    """
    if source not in SOURCES:
        raise ValueError(
            f"An unknown dataset. Expected one of {', '.join(SOURCES)}. Received: {source!r}"
        )
    return SOURCES[source]()


def describe_changed_files(table) -> str:
    """Say which images of a table are not the files that the download brings; "" if none is known.

    Parameters
    ----------
    table : DataFrame
        With `source`, `path` and `sha256`. Not looked at, because no hash of them is published:
        Kermany, and NIH images outside of the subset of Ozturk et al.

    Returns
    -------
    str
        Such as "40 of 40 cohen files are not those of the source (resized?)".
    """
    lines = []
    for source in ("cohen", "nih", "wolf_husky"):
        rows = table[table["source"].astype(str).str.startswith(source)]
        if rows.empty:
            continue
        listed = list_files(source)
        names = {PurePosixPath(file.target).name for file in listed}
        rows = rows[[Path(path).name in names for path in rows["path"]]]
        changed = int((~rows["sha256"].isin([file.sha256 for file in listed])).sum())
        if changed:
            told = f"{changed} of {len(rows)} {source} files are not those of the source (resized?)"
            lines.append(told)
    return ", ".join(lines)
