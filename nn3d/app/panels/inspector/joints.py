"""Why an inferred wire is there: the joints of a layer, of the network all if few, else those not certain."""

from __future__ import annotations

from typing import Final

from nn3d.app.panels.inspector.page import HEAD, Page, Part, head
from nn3d.run.inferred import GUESSED, Joint, joints
from nn3d.stage.controls import Act

MOST: Final = 6
LINE: Final = 18.0
JOINT: Final = 2 * LINE + 8.0


def joints_part(page: Page) -> Part | None:
    """Nothing where the graph is known."""
    graph = page.facts.run.graph
    if graph.kind != "inferred" or page.is_group:
        return None
    if page.layer is None:
        found: tuple[Joint, ...] | None = page.kept("doubts", id(graph), None)
        if found is None:
            every = joints(graph)
            found = every if len(every) <= MOST else tuple(j for j in every if j.certainty == GUESSED or not j.sources)
            page.kept("doubts", id(graph), found)
        is_all = all(j.certainty == GUESSED or not j.sources for j in found)
        title = "Wires that are not certain" if is_all else "Inferred wires"
    else:
        found, title = joints(graph, [page.facts.run.node(n) for n in page.layer.nodes]), "Inferred wires"
    shown = found[:MOST]
    more = len(found) - len(shown)

    def draw(page: Page, y: float) -> list[Act]:
        head(page, y, title)
        for k, joint in enumerate(shown):
            _draw(page, y + HEAD + k * JOINT, joint)
        if more:
            page.ui.text(page.x, y + HEAD + len(shown) * JOINT + LINE / 2, f"and {more:,} more", 11, token="text3")
        return []

    return Part(HEAD + JOINT * len(shown) + (LINE if more else 0.0) + 6, draw) if shown else None


def _draw(page: Page, y: float, joint: Joint) -> None:
    """Source and target, then the reason; what is not certain in the accent."""
    ui = page.ui
    sources = " + ".join(joint.sources)
    names = f"{sources} → {joint.name}" if sources else f"{joint.name}: no joint"
    is_doubt = joint.certainty == GUESSED or not sources
    ui.text(
        page.x, y + LINE / 2, ui.type.fit(names, page.w, 12, "medium"), 12, "medium", "accent" if is_doubt else "text"
    )
    said = f"{joint.certainty} · {joint.why}" if sources else joint.why
    ui.text(page.x, y + 3 * LINE / 2, ui.type.fit(said, page.w, 11), 11, token="text2")
