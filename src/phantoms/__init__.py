"""Phantoms: images drawn from a seed alone, with a known truth for every pixel.

Chest radiographs whose hospital and age group follow the label as strongly as asked, and wolves and
huskies on snow, grass or white. Tables and figures made from phantoms say so.
"""

from phantoms._storage import VERSION
from phantoms.animals import draw_animal, write_animals
from phantoms.chest import draw_chest, write_chest
from phantoms.plan import plan_chest
from phantoms.sheet import draw_sheet
from phantoms.study import draw_animal_study, draw_study

__all__ = [
    "VERSION",
    "draw_animal",
    "draw_animal_study",
    "draw_chest",
    "draw_sheet",
    "draw_study",
    "plan_chest",
    "write_animals",
    "write_chest",
]
