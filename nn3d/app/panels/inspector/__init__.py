"""The inspector: what the selected layer is and what it holds at this epoch and sample; the network when none is."""

from nn3d.app.panels.inspector.card import inspector_height, inspector_panel

__all__ = ["inspector_height", "inspector_panel"]
