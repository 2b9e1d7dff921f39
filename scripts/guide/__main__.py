"""Walk through the window as a newcomer would and write docs/guide: `python scripts/guide`, or `make guide`.

A real window on a virtual screen, driven by mouse and keys alone (needs Xvfb and xdotool).

python scripts/guide                   all pictures and the page
python scripts/guide --page            the page only
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts" / "gallery")]

from chapters import CHAPTERS, SECOND  # noqa: E402
from screen import virtual_screen  # noqa: E402
from squeeze import squeeze  # noqa: E402
from walk import Walk  # noqa: E402

from nn3d.app.window import show  # noqa: E402
from nn3d.cli.states import read_state  # noqa: E402
from nn3d.extract.own_picture import read_own  # noqa: E402
from nn3d.paths import bundled_runs  # noqa: E402
from nn3d.run.reader import open_run  # noqa: E402
from nn3d.stage.controls import markdown  # noqa: E402

SIZE = (1280, 800)
MAX_SECS = 400.0
LIMIT_BYTES = 250_000
HEAD = """# The window, step by step

From the empty window to your own digit, by mouse and keys alone. `make guide` walks this way in a real window and takes
these pictures. Every key and gesture stands at the end, and in the window under `?`.
"""
FOOT = """## Every gesture

On macOS, Ctrl is ⌘. Single letters work while no text field has the keyboard.

"""


def page() -> str:
    """The guide's README: a paragraph and a picture for each step, and the table of gestures."""
    parts = [HEAD]
    for number, chapter in enumerate((*CHAPTERS, *SECOND), 1):
        parts.append(f"## {number}. {chapter.title}\n\n{chapter.words}\n\n![{chapter.title}]({chapter.name}.png)\n")
    return "\n".join([*parts, FOOT]) + markdown()


def walk_through(folder: Path) -> None:
    """Take all pictures: one window from empty to the last step, and another that opens the view of a saved picture."""
    with virtual_screen(SIZE), tempfile.TemporaryDirectory() as desk:
        os.environ["NN3D_CONFIG_DIR"] = desk
        os.chdir(desk)
        first = Walk(CHAPTERS, folder, SIZE)
        show(max_secs=MAX_SECS, on_frame=first, size_px=SIZE, remembers=True, reader=read_own)
        first.check()
        saved = next(Path(desk).glob("*.png"))
        with open_run(bundled_runs()["lenet-mnist"]) as run:
            second = Walk(SECOND, folder, SIZE)
            show(run, state=read_state(run, str(saved)), max_secs=MAX_SECS, on_frame=second, reader=read_own)
        second.check()
    for chapter in (*CHAPTERS, *SECOND):
        path = folder / f"{chapter.name}.png"
        print(f"{path.name:24s} {squeeze(path, LIMIT_BYTES) / 1000:4.0f} kB", flush=True)


def main() -> None:
    """Take the pictures unless told not to, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "guide")
    parser.add_argument("--page", action="store_true", help="write the page only")
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "README.md").write_text(page(), encoding="utf-8")
    if not args.page:
        walk_through(out)


if __name__ == "__main__":
    main()
