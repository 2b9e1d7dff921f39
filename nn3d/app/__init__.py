"""The window: GLFW through moderngl-window, panels in Dear ImGui, the loader thread, and the only main loop."""

from __future__ import annotations

import imgui_bundle  # noqa: F401  before glfw: it points glfw at its own copy, and two copies are two states
