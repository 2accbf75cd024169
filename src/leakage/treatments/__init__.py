"""What is done to the pixels of an image before a network sees it, by name.

A family is one file with a tuple `TREATMENTS`, named in `_compose.FAMILIES`. "inpaint+crop" is one
treatment after the other, and the order counts: letters that a crop has cut are no longer found.
Counterfactual versions ask what a classifier still knows when the part of the image that holds the
disease is taken away, or is all that is left; remedies (crop, inpaint, transplant, masks, evened
brightness) try to take the shortcut away and leave the disease.

One kind of mask serves all classes of a comparison: true masks for some and boxes for others would
be a new shortcut. Where masks are not complete, a centre box stands for the lungs, as in Maguolo &
Nanni (arXiv 2004.12823).
"""

from leakage.treatments._compose import (
    TREATMENTS,
    Fitted,
    compose,
    get_key,
    needs_mask,
    split_name,
)
from leakage.treatments._load import load_treated_image, load_treated_pair
from leakage.treatments._tables import (
    check_masks,
    fit_treatment,
    load_treated_images,
    report_changes,
    write_treated_images,
)
from leakage.treatments.counterfactual import BOX_SHARE, make_centre
from leakage.treatments.marks import MARKS, mark_images
from leakage.treatments.symbols import find_bright, find_symbols


def choose_counterfactuals(table):
    """Choose the counterfactual versions that every row of a table allows.

    Parameters
    ----------
    table : DataFrame
        Rows of the table contract.

    Returns
    -------
    tuple of str
        Names in `TREATMENTS`: with the images' own masks if every row has one, else with the
        centre box for all.
    """
    own = bool(table["mask_path"].notna().all())
    inside, outside = (
        ("mask only", "mask removed") if own else ("centre box only", "centre box removed")
    )
    return (inside, outside, "border only", "thumbnail 16x16")
