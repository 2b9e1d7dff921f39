"""Drops files on a window as a file manager does, by the XDND protocol version 5: python xdnd.py X Y FILE…

Source of the message layouts: the freedesktop.org specification "Drag-and-Drop Protocol for the X Window System".
Exits with 0 when the window said that it has taken the files.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from Xlib import X, Xatom, display
from Xlib.protocol import event

PATIENCE_SECS = 10.0


def main(x: int, y: int, paths: list[Path]) -> int:
    screen = display.Display()
    root = screen.screen().root
    atom = {n: screen.intern_atom(n) for n in (
        "XdndAware", "XdndSelection", "XdndEnter", "XdndPosition", "XdndStatus", "XdndDrop", "XdndFinished",
        "XdndActionCopy", "text/uri-list",
    )}  # fmt: skip
    source = root.create_window(-10, -10, 1, 1, 0, X.CopyFromParent)
    target = _aware(root, x, y, atom["XdndAware"])
    if target is None:
        sys.stderr.write("no window there takes drops\n")
        return 1
    source.set_selection_owner(atom["XdndSelection"], X.CurrentTime)

    def send(kind: str, *data: int) -> None:
        words = [source.id, *data, *[0] * (4 - len(data))]
        target.send_event(event.ClientMessage(window=target, client_type=atom[kind], data=(32, words)), event_mask=0)
        screen.flush()

    send("XdndEnter", 5 << 24, atom["text/uri-list"])
    send("XdndPosition", 0, (x << 16) | y, X.CurrentTime, atom["XdndActionCopy"])
    uris = "".join(f"{path.absolute().as_uri()}\r\n" for path in paths).encode()
    end = time.monotonic() + PATIENCE_SECS
    while time.monotonic() < end:
        while screen.pending_events():
            got = screen.next_event()
            if got.type == X.SelectionRequest:
                _answer(screen, got, uris)
            elif got.type == X.ClientMessage and got.client_type == atom["XdndStatus"]:
                send("XdndDrop", 0, X.CurrentTime)
            elif got.type == X.ClientMessage and got.client_type == atom["XdndFinished"]:
                return 0
        time.sleep(0.01)
    sys.stderr.write("the window did not take the files\n")
    return 1


def _answer(screen: Any, asked: Any, uris: bytes) -> None:
    asked.requestor.change_property(asked.property, asked.target, 8, uris)
    said = event.SelectionNotify(
        time=asked.time, requestor=asked.requestor, selection=asked.selection, target=asked.target,
        property=asked.property,
    )  # fmt: skip
    asked.requestor.send_event(said)
    screen.flush()


def _aware(root: Any, x: int, y: int, aware: int) -> Any:
    """The window under a point of the screen that takes drops."""
    window, found = root, None
    while window:
        if window.get_full_property(aware, Xatom.ATOM) is not None:
            found = window
        window = root.translate_coords(root, x, y).child if window is root else None
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), [Path(p) for p in sys.argv[3:]]))
