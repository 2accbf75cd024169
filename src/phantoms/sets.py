"""Small sets of drawings whose truth is known: leaks that are easy to miss, and clean sets.

A function of `SETS` takes the number of images (about as many are drawn) and a seed, and returns a
table and the pictures: a row of `image_id, label, split` an image, and `patient_id`, `source`,
`view` and `age_years` where the set has them. The subject is drawn by one law for all classes, so
that nothing but what the docstring names tells the labels apart.
"""

import functools
import pathlib

import cv2
import numpy as np
import pandas as pd

SIZE_PX = 128
TRAIN_SHARE = 0.7
LETTERS = "LRPABDEFKT"
# Of the marks of `draw_marks`: the L of nine pixels, 6 high and 4 wide.
L_MARK = np.zeros((6, 4), dtype=bool)
L_MARK[:, 0] = L_MARK[-1] = True


def draw_field(rng, scale_px):
    """Draw smooth noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    scale_px : float
        Width of the Gaussian that smooths.

    Returns
    -------
    ndarray of shape (128, 128), dtype=float32
        Of mean 0 and deviation 1.
    """
    noise = rng.standard_normal((SIZE_PX, SIZE_PX)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), scale_px)
    return (field - field.mean()) / field.std()


def draw_subject(rng):
    """Draw smooth individual anatomy with two lungs, by one law for all classes.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (128, 128), dtype=float64, mostly in [0, 255]
    """
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX - 0.5
    image = 110 + 35 * draw_field(rng, 12.8) + 10 * draw_field(rng, 3.2)
    centre = rng.normal(0, 0.02, 2)
    for side in (-1, 1):
        wide, high = 0.13 * rng.uniform(0.9, 1.1), 0.27 * rng.uniform(0.9, 1.1)
        along = ((x - side * 0.2 - centre[0]) / wide) ** 2 + ((y - centre[1]) / high) ** 2
        image -= 45 * np.exp(-(along**2))
    return image + 3 * rng.standard_normal(image.shape)


def draw_tissue(rng, cell_px):
    """Draw tissue that fills the whole picture, with dark cells of one size.

    Parameters
    ----------
    rng : numpy.random.Generator
    cell_px : float
        Scale of the cells.

    Returns
    -------
    ndarray of shape (128, 128), dtype=float64, mostly in [0, 255]
    """
    cells = 1 / (1 + np.exp(-4 * (draw_field(rng, cell_px) - 0.8)))
    image = 190 + 12 * draw_field(rng, 12.8) - 90 * cells
    return image + 3 * rng.standard_normal(image.shape)


def add_frame(image):
    """Lay a bright frame of 10 pixels around an image, in place."""
    image[:10] = image[-10:] = 250
    image[:, :10] = image[:, -10:] = 250


def add_mark(image, mark, strength, place):
    """Lay a mark over an image, in place.

    Parameters
    ----------
    image : ndarray of shape (height, width)
    mark : ndarray of shape (mark_height, mark_width), bool or float in [0, 1]
        What it covers.
    strength : float
        Gray values by which it is brighter (darker where negative); infinite: 255.
    place : (int, int)
        Row and column of its upper left corner.
    """
    top, left = place
    under = image[top : top + mark.shape[0], left : left + mark.shape[1]]
    if np.isinf(strength):
        under[mark > 0] = 255
    else:
        under += strength * mark


def draw_letter(letter, height_px):
    """Draw a letter as a mask that fits it.

    Returns
    -------
    ndarray of shape (height_px, width), dtype=float32, in [0, 1]
    """
    large = np.zeros((200, 200), np.uint8)
    cv2.putText(large, letter, (30, 160), cv2.FONT_HERSHEY_SIMPLEX, 5, 255, 20, cv2.LINE_AA)
    x, y, width, height = cv2.boundingRect(large)
    size = (max(2, round(width * height_px / height)), height_px)
    cut = large[y : y + height, x : x + width]
    return cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def draw_arrow(size_px):
    """Draw an arrow to the lower right, as a mask.

    Returns
    -------
    ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
    """
    large = np.zeros((160, 160), np.uint8)
    cv2.arrowedLine(large, (12, 12), (146, 146), 255, 18, cv2.LINE_AA, tipLength=0.45)
    cut = cv2.resize(large, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return cut.astype(np.float32) / 255


def write_set(folder, table, pictures):
    """Write the pictures of a set as image files.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.
    table : DataFrame
        With `image_id`, as from a function of `SETS`, and `suffix` where not all are ".png".
    pictures : sequence of ndarray of shape (height, width), dtype=uint8

    Returns
    -------
    DataFrame
        The table with `path`, without `suffix`.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    suffixes = table.get("suffix", pd.Series(".png", table.index))
    names = table["image_id"] + suffixes
    for name, suffix, picture in zip(names, suffixes, pictures, strict=True):
        (folder / name).write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    paths = [str(folder / name) for name in names]
    return table.drop(columns="suffix", errors="ignore").assign(path=paths)


def _draw(patients, seed, draw):
    """Draw a set: `patients` are dicts of columns and `num_images`; `draw(rng, patient)` draws."""
    rng = np.random.default_rng([seed, 1])
    rows, pictures = [], []
    for number, patient in enumerate(patients):
        split = "train" if rng.random() < TRAIN_SHARE else "test"
        columns = {"patient_id": f"p{number:04d}", "split": split} | patient
        for copy in range(columns.pop("num_images", 1)):
            rows.append({"image_id": f"{number:04d}_{copy:02d}", **columns})
            pictures.append(np.clip(draw(rng, patient), 0, 255).astype(np.uint8))
    return pd.DataFrame(rows), pictures


def _draw_framed(rng, patient):
    image = draw_subject(rng)
    if patient["label"] == "case":
        add_frame(image)
    return image


def _make_hospital_patient(rng, is_case, num_images=1):
    """A case of one hospital, or a control of another who is younger and stands."""
    if is_case:
        traits = {"label": "case", "source": "A", "view": "AP", "age_years": rng.integers(55, 85)}
    else:
        traits = {
            "label": "control",
            "source": "B",
            "view": "PA",
            "age_years": rng.integers(20, 45),
        }
    return traits | {"num_images": num_images}


def draw_hospitals(num_images, seed):
    """Leak: cases are of another hospital, view and age than controls, and have a frame."""
    rng = np.random.default_rng([seed, 0])
    patients = [_make_hospital_patient(rng, number % 2) for number in range(num_images)]
    return _draw(patients, seed, _draw_framed)


def draw_two_images_a_case(num_images, seed):
    """Leak, as `draw_hospitals`; cases have two images each, controls one."""
    rng = np.random.default_rng([seed, 0])
    cases = [_make_hospital_patient(rng, True, 2) for _ in range(num_images // 4)]
    controls = [_make_hospital_patient(rng, False) for _ in range(num_images // 2)]
    return _draw(cases + controls, seed, _draw_framed)


def draw_films(num_images, seed):
    """Leak, as `draw_hospitals`; no two patients have as many images."""
    rng = np.random.default_rng([seed, 0])
    num_patients = next(n for n in range(2, num_images, 2) if n * (n + 7) / 2 >= num_images)
    sizes = rng.permutation(np.arange(4, 4 + num_patients))
    patients = [
        _make_hospital_patient(rng, number % 2, int(size)) for number, size in enumerate(sizes)
    ]
    return _draw(patients, seed, _draw_framed)


def draw_other_place(num_images, seed):
    """Clean, an external test set: a third of the images is of another source, and older."""
    rng = np.random.default_rng([seed, 0])
    patients = []
    for number in range(num_images):
        is_test = number % 3 == 2
        traits = (
            {"split": "test", "source": "two", "age_years": rng.integers(60, 85)}
            if is_test
            else {"split": "train", "source": "one", "age_years": rng.integers(20, 50)}
        )
        patients.append({"label": rng.choice(["a", "b"])} | traits)
    return _draw(patients, seed, lambda rng, patient: draw_subject(rng))


def draw_same_numbers(num_images, seed):
    """Clean: two sources, one a split, that number their patients alike."""
    patients = [
        {
            "label": "ab"[number % 2],
            "patient_id": str(number),
            "split": split,
            "source": source,
        }
        for split, source in (("train", "one"), ("test", "two"))
        for number in range(num_images // 2)
    ]
    table, pictures = _draw(patients, seed, lambda rng, patient: draw_subject(rng))
    return table, pictures


def draw_texture(num_images, seed):
    """Clean: cases have a fine texture in the lungs (the disease), which takes bytes to write."""

    def draw(rng, patient):
        image = draw_subject(rng)
        if patient["label"] == "case":
            image[30:98, 30:98] += 18 * draw_field(rng, 0.7)[30:98, 30:98]
        return image

    return _draw(_alternate(num_images), seed, draw)


def _alternate(num_images):
    return [{"label": ("control", "case")[number % 2]} for number in range(num_images)]


def draw_tissues(num_images, seed, sizes_px=(2.2, 3.2), with_letter=False):
    """Clean: tissue fills the picture; its cells are larger in cases.

    With equal `sizes_px` and `with_letter` it is a leak: a letter in the corner of every case.
    """

    def draw(rng, patient):
        is_case = patient["label"] == "case"
        image = draw_tissue(rng, sizes_px[int(is_case)])
        if with_letter and is_case:
            add_mark(image, draw_letter("P", 8), 120, (3, SIZE_PX - 12))
        return image

    return _draw(_alternate(num_images), seed, draw)


def draw_plain(num_images, seed):
    """Clean: labels follow nothing at all."""
    return _draw(_alternate(num_images), seed, lambda rng, patient: draw_subject(rng))


def draw_turned_marks(num_images, seed):
    """Leak: every image has a small L at a place that varies, which is upside down in controls."""
    return draw_marks(num_images, seed, kind="turned", places=(0.14, 0.22))


def draw_marks(num_images, seed, kind="L", share=1.0, places=(0.12, 0.84)):
    """Leak: cases have a small mark at a place that varies; controls have none.

    Parameters
    ----------
    num_images, seed : int
    kind : {"L", "turned", "letter", "square", "arrow", "faint"}
        A plain L; the same, in controls turned by 180 degrees; one letter of another height each
        time; a square; an arrow; a letter of 40 gray values more instead of 60 to 140.
    share : float in [0, 1]
        How many of the cases have it.
    places : (float, float)
        Where its upper left corner lies, as shares of height and width.
    """
    letter = LETTERS[np.random.default_rng([seed, 2]).integers(len(LETTERS))]

    def draw(rng, patient):
        image = draw_subject(rng)
        is_case = patient["label"] == "case"
        if kind != "turned" and not (is_case and rng.random() < share):
            return image
        strength = rng.uniform(60, 140)
        if kind in ("L", "turned"):
            mark, strength = (L_MARK if is_case else L_MARK[::-1, ::-1]), np.inf
        elif kind == "square":
            mark = np.ones((rng.integers(3, 6),) * 2)
        elif kind == "arrow":
            mark = draw_arrow(int(rng.integers(7, 12)))
        else:
            mark = draw_letter(letter, int(rng.integers(6, 10)))
            strength = 40 if kind == "faint" else strength
        add_mark(image, mark, strength, rng.integers(*(int(p * SIZE_PX) for p in places), 2))
        return image

    return _draw(_alternate(num_images), seed, draw)


def draw_turned_copies(num_images, seed):
    """Leak: pictures and three copies of each, turned and shifted, lie in random splits.

    Labels follow nothing, and no patient is named.
    """
    rng = np.random.default_rng([seed, 0])
    rows, pictures = [], []
    for number in range(num_images // 4):
        original, label = draw_subject(rng), rng.choice(["a", "b"])
        for copy in range(4):
            picture = turn(original, rng) if copy else original
            split = "train" if rng.random() < TRAIN_SHARE else "test"
            rows.append({"image_id": f"{number:04d}_{copy:02d}", "label": label, "split": split})
            pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    # Names of files say nothing of which are siblings.
    order = rng.permutation(len(rows))
    table = pd.DataFrame([rows[place] for place in order])
    table["image_id"] = [f"{number:04d}" for number in range(len(rows))]
    return table, [pictures[place] for place in order]


def turn(image, rng):
    """Turn an image by 4 to 15 degrees either way and shift it by up to 8 %."""
    angle = rng.choice([-1, 1]) * rng.uniform(4, 15)
    move = cv2.getRotationMatrix2D((SIZE_PX / 2, SIZE_PX / 2), angle, 1)
    move[:, 2] += rng.uniform(-0.08, 0.08, 2) * SIZE_PX
    return cv2.warpAffine(image, move, image.shape[::-1], borderMode=cv2.BORDER_REFLECT)


SETS = {
    "hospitals": draw_hospitals,
    "two_images_a_case": draw_two_images_a_case,
    "films": draw_films,
    "turned_marks": draw_turned_marks,
    "marks": draw_marks,
    "letters": functools.partial(draw_marks, kind="letter"),
    "faint_letters": functools.partial(draw_marks, kind="faint"),
    "squares": functools.partial(draw_marks, kind="square"),
    "arrows": functools.partial(draw_marks, kind="arrow"),
    "turned_copies": draw_turned_copies,
    "texture": draw_texture,
    "tissue": draw_tissues,
    "tissue_with_letter": functools.partial(draw_tissues, sizes_px=(2.6, 2.6), with_letter=True),
    "same_numbers": draw_same_numbers,
    "other_place": draw_other_place,
    "plain": draw_plain,
}
