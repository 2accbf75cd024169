"""Phantoms: images drawn from a seed alone, with a known truth for every pixel.

Chest radiographs whose hospital and age group follow the label as strongly as asked, and wolves and
huskies on snow, grass or white. Tables and figures made from phantoms say so.
"""

from leakage.phantoms._storage import VERSION
from leakage.phantoms.animals import draw_animal, write_animals
from leakage.phantoms.chest import draw_chest, write_chest
from leakage.phantoms.marks import MARKS, mark_images
from leakage.phantoms.plan import plan_chest
from leakage.phantoms.sheet import draw_sheet

__all__ = [
    "MARKS",
    "VERSION",
    "draw_animal",
    "draw_chest",
    "draw_sheet",
    "mark_images",
    "plan_chest",
    "write_animals",
    "write_chest",
]
