"""The feature bank: each image passes through a frozen backbone once, and the result is kept.

One file an image and view, in a folder for everything else that determines its content, so that
an interrupted extraction resumes where it stopped and notebooks, draws, seeds and sweeps share.
Processes may share it at the same time: what two of them need, one computes.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from leakage import augment, paths, published, treatments
from leakage.features import cap
from leakcard import files, images

# Part of every key: raise it when the way features are computed changes.
BANK_VERSION = 1


@dataclasses.dataclass(frozen=True)
class FeatureBank:
    """Features of images under one frozen backbone.

    Parameters
    ----------
    backbone : leakage.networks.Backbone
    augmentation : leakage.published.Augmentation, optional
        What views from 1 on are; view 0 is the image itself.
    seed : int
        Seed of the augmented views.
    treatment : str or leakage.treatments.Fitted
        What is done to the pixels before augmentation, as `leakage.treatments` names it.
    cache_dir : pathlib.Path, optional
        Default: the project's cache (`LEAKAGE_CACHE_DIR`).
    batch_size : int
    limit_gb : float
        Cap of the bank; what was not used for longest goes first.
    """

    backbone: object
    augmentation: published.Augmentation | None = None
    seed: int = 0
    treatment: object = "none"
    cache_dir: pathlib.Path | None = None
    batch_size: int = 32
    limit_gb: float = cap.LIMIT_GB

    def extract(self, table, view=0, description="features"):
        """Return the features of one view of each image, computing what is not in the bank.

        Parameters
        ----------
        table : DataFrame
            Rows of the table contract; `path` and `sha256` are used. A row that comes again (a
            draw with replacement) gets a further augmented view of its own.
        view : int
            0 for the image itself, 1 and up for augmented views.
        description : str
            What the progress bar says.

        Returns
        -------
        ndarray of shape (n_images, height, width, channels), dtype=float32

        Raises
        ------
        ValueError
            If an augmentation, or the mask of an image, is needed and missing.
        """
        if view > 0 and self.augmentation is None:
            raise ValueError(
                "An augmented view needs an augmentation. Expected `augmentation` to be set, or "
                f"view=0. Received: view={view}."
            )
        treatments.check_masks(table, self.treatment)
        keys = self._make_keys(table, view)
        folder = self._get_folder(view)
        stored = [folder / f"{key}.npy" for key in keys]
        if all(file.exists() for file in stored):
            with contextlib.suppress(FileNotFoundError):  # dropped just now: computed again below
                return _read(folder, stored)
        folder.mkdir(parents=True, exist_ok=True)
        with cap.get_lock(folder):  # another process may be at it: then this one waits and reads
            missing = [row for row, file in enumerate(stored) if not file.exists()]
            missing = list({keys[row]: row for row in missing}.values())
            if missing:
                self._compute(table, view, keys, stored, missing, description)
            return _read(folder, stored)

    def extract_views(self, table, num_views, description="features"):
        """Return the training views as a sequence that reads one view at a time.

        Parameters
        ----------
        table : DataFrame
        num_views : int
            0: the images themselves; V: V augmented views.

        Returns
        -------
        Views
            `views[v]` is an array as `extract` returns it; all are computed before this returns.
        """
        numbers = range(1, num_views + 1) if num_views else (0,)
        for number in numbers:
            last = self.extract(table, number, f"{description}, view {number} of {num_views}")
        return Views(self, table, tuple(numbers), last if len(numbers) == 1 else None)

    def _make_keys(self, table, view):
        """Name each row by its content; the k-th copy of a row is a view of its own."""
        keys = pd.Series(list(table["sha256"]))
        if treatments.needs_mask(self.treatment):
            keys = keys + "-" + pd.Series([_hash_file(path) for path in table["mask_path"]])
        if view == 0:
            return keys.tolist()
        copies = keys.groupby(keys).cumcount()
        return [f"{key}-{copy}" if copy else key for key, copy in zip(keys, copies, strict=True)]

    def _get_folder(self, view):
        content = {
            "version": BANK_VERSION,
            "decoder": images.DECODER_VERSION,
            "backbone": self.backbone.key,
            "size_px": self.backbone.size_px,
            "treatment": treatments.get_key(self.treatment),
            "dtype": self.backbone.model.dtype_policy.name,
            "view": view,
            "last_layer": self.backbone.model.layers[-1].name,
        }
        if view:
            content |= {"augmentation": dataclasses.asdict(self.augmentation), "seed": self.seed}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
        cache_dir = self.cache_dir or paths.get_cache_dir()
        return pathlib.Path(cache_dir) / "features" / digest

    def _compute(self, table, view, keys, stored, missing, description):
        """Decode the next batch while the backbone works on this one."""
        folder = self._get_folder(view)
        cap.limit_size(folder.parent, folder, self.limit_gb)
        batches = [
            missing[start : start + self.batch_size]
            for start in range(0, len(missing), self.batch_size)
        ]

        def load(rows):
            size_px = self.backbone.size_px
            pixels = np.stack(
                [
                    treatments.load_treated_image(table.iloc[row], size_px, self.treatment)
                    for row in rows
                ]
            )
            if view == 0:
                return pixels
            return augment.augment_images(
                pixels, [keys[row] for row in rows], view, self.augmentation, self.seed
            )

        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as executor:
            pending = executor.submit(load, batches[0])
            bar = tqdm(range(len(batches)), description, leave=False)
            for number in bar:
                pixels = pending.result()
                if number + 1 < len(batches):
                    pending = executor.submit(load, batches[number + 1])
                maps = self._pass_through(pixels)
                for row, values in zip(batches[number], maps, strict=True):
                    with files.open_atomic(stored[row], "wb") as stream:
                        np.save(stream, values.astype(np.float32), allow_pickle=False)

    def _pass_through(self, pixels):
        """Run one batch; the last one is filled up, since each new shape is compiled anew."""
        filled = np.zeros((self.batch_size, *pixels.shape[1:]), np.float32)
        filled[: len(pixels)] = pixels
        maps = self.backbone.model.predict_on_batch(filled)
        return keras.ops.convert_to_numpy(maps)[: len(pixels)]


@dataclasses.dataclass(frozen=True)
class Views:
    """The training features of every view; one view is kept in memory, several are read."""

    bank: FeatureBank
    table: object
    numbers: tuple
    only: np.ndarray | None

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, position):
        if self.only is not None and position == 0:
            return self.only
        return self.bank.extract(self.table, self.numbers[position])


def _hash_file(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16]


def _read(folder, stored):
    os.utime(folder)  # what was used last is dropped last
    return np.stack([np.load(file, allow_pickle=False) for file in stored])
