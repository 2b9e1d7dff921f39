"""Gestures that set something apart: the neighbours of the selection alone, and what stands nearer away."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from nn3d.stage import camera as cameras
from nn3d.stage.apart import MOST_REACH, chosen_items
from nn3d.stage.commands import FlyTo, Hide, SetReach
from nn3d.stage.controls.common import Acts, Context
from nn3d.stage.controls.going import ahead
from nn3d.stage.controls.requests import Tell
from nn3d.stage.frame import PART
from nn3d.stage.framing import corners_of, shrunk
from nn3d.stage.spots import plates_of
from nn3d.stage.walking import members, neighbours, shown_item

MARGIN_U: Final = 0.25
NEAR_SHARE: Final = 0.82  # of the free rectangle: names stand above and below the plates


def focus(c: Context) -> Acts:
    """Show the selection with its direct neighbours alone, or all again."""
    if c.state.reach:
        return (SetReach(0),)
    if c.state.selection is None:
        return (Tell("Select a layer or a group first: I shows it with its neighbours alone"),)
    return _focused(c, 1)


def wider(c: Context) -> Acts:
    """One more link back and on; after the widest the narrowest again."""
    if c.state.selection is None:
        return focus(c)
    reach = c.state.reach % MOST_REACH + 1
    return _focused(c, reach)


def _focused(c: Context, reach: int) -> Acts:
    """Focus, and the camera on all that is shown then, as large as it will be; a camera that fits does so by itself."""
    if c.state.camera.fit:
        return (SetReach(reach),)
    later = replace(c, frame=ahead(c, (SetReach(reach),)))
    return (SetReach(reach), *fly_to_near(later, chosen_items(c.state), reach))


def hide_nearer(c: Context) -> Acts:
    """Hide what stands nearer than the selection, or show it again."""
    if c.state.hidden:
        return (Hide(()),)
    if c.state.selection is None:
        return (Tell("Select a layer first: H hides what stands nearer"),)
    nearer = items_nearer(c, c.state.selection.layer)
    return (Hide(nearer),) if nearer else (Tell("Nothing stands nearer than the selection"),)


def fly_to_near(c: Context, items: tuple[int, ...], reach: int) -> tuple[FlyTo, ...]:
    """The camera travels to items with what lies at most so many links back and on."""
    plates = [t for i in sorted(items_near(c, items, reach)) for t in plates_of(c.frame, i)]
    if not plates:
        return ()
    corners = np.concatenate([corners_of(t) for t in plates]) @ c.frame.view.world_from_bench.T
    now = replace(c.camera, fit=False)
    return (FlyTo(c.camera, cameras.fitted(now, corners, shrunk(c.state.anchors.free, NEAR_SHARE), c.state.size_px)),)


def items_near(c: Context, items: tuple[int, ...], reach: int) -> frozenset[int]:
    """Visible items: these, and those at most `reach` links back or on."""
    start = frozenset(i for item in items for i in members(c.frame, shown_item(c.state, c.frame, item)))
    found = set(start)
    for step in (1, -1):
        edge = start
        for _ in range(reach):
            edge = frozenset(neighbours(c.frame, edge, step)) - found
            found |= edge
    return frozenset(found)


def items_nearer(c: Context, item: int) -> tuple[int, ...]:
    """Visible items whose plates stand nearer to the eye than an item's, along the view; u of the world."""
    own = {t.layer for t in plates_of(c.frame, item)}
    plates = [t for t in c.frame.tiles if t.layer < PART]
    if not own or not plates:
        return ()
    places = np.array([(t.x, t.y, 0.0) for t in plates]) @ c.frame.view.world_from_bench.T
    forward = -np.cross(c.frame.view.right_world, c.frame.view.up_world)
    depth = (places - c.frame.view.eye_world) @ forward
    mine = min(float(d) for d, t in zip(depth, plates, strict=True) if t.layer in own)
    return tuple(sorted({t.layer for d, t in zip(depth, plates, strict=True) if d < mine - MARGIN_U} - own))
