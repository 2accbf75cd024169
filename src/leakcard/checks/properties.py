"""L2 and L3.3: does a property that is not the disease follow the label?"""

from leakcard import association

PROPERTIES = {
    "source": ("L3.3", "Label and source"),
    "sex": ("L3.3", "Label and sex"),
    "view": ("L3.3", "Label and view (PA, AP)"),
    "age_group": ("L3.3", "Label and age group (child, adult)"),
    "background": ("L2", "Label and background"),
    "file_format": ("L2", "Label and file type"),
    "size_class": ("L2", "Label and image size"),
}


def check_properties(images, units, num_permutations, seed):
    """L2 and L3.3: bias-corrected Cramer's V of the label with each property."""
    return [
        association.compare_names(images, units, name, code, title, num_permutations, seed)
        for name, (code, title) in PROPERTIES.items()
    ]
