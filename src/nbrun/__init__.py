"""Run notebooks: check parameters, run by papermill, move into place, skip what is complete."""

from nbrun.command import main
from nbrun.project import Project

__all__ = ["Project", "main"]
