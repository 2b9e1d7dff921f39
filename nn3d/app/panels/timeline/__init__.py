"""The timeline: transport, the curves of training, marks of what happened, and a playhead that one drags."""

from nn3d.app.panels.timeline.card import timeline_panel
from nn3d.app.panels.timeline.series import accuracy_text, tick_every

__all__ = ["accuracy_text", "tick_every", "timeline_panel"]
