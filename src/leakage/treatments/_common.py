"""What one treatment is, and which images it can be applied to."""

import dataclasses
from collections.abc import Callable

# What stands where pixels are taken away: the air around a patient.
FILL_VALUE = 0.0
MAX_VALUE = 255


@dataclasses.dataclass(frozen=True)
class Treatment:
    """One treatment.

    Attributes
    ----------
    name : str
        Named in results, and part of the feature bank's key.
    apply : callable, optional
        `apply(image, mask)` returns a new image of the same shape; a fitted treatment takes what
        `fit` returned as a third argument. The image is an ndarray of shape (height, width, 3),
        float32, in [0, 255].
    needs_mask : bool
        Whether it needs the image's own mask (lungs or animal).
    at_full_size : bool
        Whether it comes before the image is resized for the network: a letter of an X-ray is gone,
        or a smear, at 224 pixels.
    find_box : callable, optional
        Of treatments that cut, instead of `apply`: `find_box(image, mask)` returns two slices, of
        rows and columns. What is cut from the image is cut from its mask.
    fit : callable, optional
        `fit(pictures, rows)` returns what it learns from the training images, a dict of arrays;
        `pictures` is an iterator of images, `rows` their table.
    needs_donors : bool
        Whether it learns from the images of one class, which the caller names.
    version : int
        Raise it when the same name gives other pixels: features in the bank are computed anew.
    """

    name: str
    apply: Callable | None = None
    needs_mask: bool = False
    at_full_size: bool = False
    find_box: Callable | None = None
    fit: Callable | None = None
    needs_donors: bool = False
    version: int = 0


def check_mask(mask, image, name):
    """Refuse a missing mask, one of another size, and one with nothing inside.

    Raises
    ------
    ValueError
        Saying what was expected.
    """
    if mask is None or mask.shape != image.shape[:2] or mask.dtype != bool:
        raise ValueError(
            f"Treatment {name!r} needs the mask of each image. Expected a mask of shape "
            f"{image.shape[:2]}, boolean. Use its box version, such as 'centre box only', where "
            f"masks are not complete. Received: {None if mask is None else mask.shape}."
        )
    if not mask.any():
        raise ValueError(
            f"Treatment {name!r} was given an empty mask, which would leave nothing, or all. "
            "Expected a mask with at least one pixel inside: leave the image out, for every class "
            "alike. Received: no pixel inside."
        )
