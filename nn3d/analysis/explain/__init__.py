"""What a cell is made of: its terms, their sum, and whether that is the stored value. numpy alone."""

from nn3d.analysis.explain import words
from nn3d.analysis.explain.explaining import check_cells, explain
from nn3d.analysis.explain.explanation import Box, Errors, Explanation, Step
from nn3d.analysis.explain.patch import Patch, patch
from nn3d.analysis.explain.receptive import receptive_field

__all__ = [
    "Box",
    "Errors",
    "Explanation",
    "Patch",
    "Step",
    "check_cells",
    "explain",
    "patch",
    "receptive_field",
    "words",
]
