"""Render docs/gallery with the build itself: `python scripts/gallery`, or `make gallery`.

python scripts/gallery                       all pictures; runs that are missing are made in out/gallery
python scripts/gallery 01-lenet 13-unet      these only
python scripts/gallery --data FOLDER         MNIST's IDX files, for the demos that train on them
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pictures import PICTURES, Picture  # noqa: E402
from runs import FILES, Places, run_of  # noqa: E402
from squeeze import squeeze  # noqa: E402

LIMIT_BYTES = 500_000
HEAD = """# Gallery

Rendered by this build from recorded runs: `make gallery DATA=folder of MNIST's IDX files` (without DATA, downloaded).
All networks are trained except where "random weights" is said. To keep the files small their colours are within 2/255
of what nn3d draws. Digits are from MNIST (Yann LeCun, Corinna Cortes, Christopher J. C. Burges; CC BY-SA 3.0), colour
pictures from CIFAR-10 (Alex Krizhevsky, 2009), irises from R. A. Fisher (1936), sentences from Python's documentation
(© Python Software Foundation), Sietzen's network from stefsietz/nn-visualizer (Apache-2.0).
"""


def render(picture: Picture, places: Places, folder: Path) -> str:
    """Render one picture in a process of its own, and make its file small; returns a line that says how it went."""
    path = folder / f"{picture.name}.png"
    command = [sys.executable, "-m", "nn3d", "render", str(run_of(picture.run, places)), "-o", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if subprocess.run([*command, *picture.options], check=False, cwd=ROOT, env=environment).returncode:
        return f"{path.name}: nn3d render failed"
    size_bytes = squeeze(path, LIMIT_BYTES)
    return f"{path.name:28s} {size_bytes / 1000:4.0f} kB"


def page() -> str:
    """The gallery's README: each picture, what one sees, and the command."""
    parts = [HEAD]
    for picture in PICTURES:
        line = shlex.join(["nn3d", "render", FILES[picture.run], "-o", f"{picture.name}.png", *picture.options])
        parts.append(f"![{picture.name}]({picture.name}.png)\n\n{picture.words}\n`{line}`\n")
    return "\n".join(parts)


def main() -> None:
    """Render what was asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pictures to render, by name or the beginning of it")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    parser.add_argument("--runs", type=Path, default=ROOT / "out" / "gallery", help="where made runs are kept")
    parser.add_argument("--data", type=Path, help="folder of MNIST's four IDX files; downloaded without it")
    args = parser.parse_args()
    chosen = [p for p in PICTURES if not args.names or any(p.name.startswith(name) for name in args.names)]
    if not chosen:
        raise SystemExit(f"expected names of pictures ({', '.join(p.name for p in PICTURES)}), got {args.names}")
    args.out.mkdir(parents=True, exist_ok=True)
    places = Places(args.runs.resolve(), args.data and args.data.resolve())
    for picture in chosen:
        print(render(picture, places, args.out.resolve()), flush=True)
    (args.out / "README.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
