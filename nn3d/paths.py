"""Where the files lie that nn3d brings along: fonts, icons, bundled runs (assets) and shaders.

In a wheel the assets lie inside the package, in a checkout (or an editable install of one) beside it.
"""

from __future__ import annotations

from pathlib import Path

from nn3d.errors import Nn3dError

_PACKAGE = Path(__file__).resolve().parent


def assets_dir() -> Path:
    """Folder of the assets (fonts/, icons/, runs/). Raises Nn3dError when the installation lacks it."""
    for folder in (_PACKAGE / "assets", _PACKAGE.parent / "assets"):
        if (folder / "fonts").is_dir():
            return folder
    raise Nn3dError(f"expected the folder of fonts and runs in {_PACKAGE / 'assets'}, found none: install nn3d again")


def asset(*parts: str) -> Path:
    """Path of one asset, e.g. `asset("fonts", "Inter-Regular.otf")`. Raises Nn3dError when it is not there."""
    path = assets_dir().joinpath(*parts)
    if not path.exists():
        raise Nn3dError(f"expected {'/'.join(parts)} in {assets_dir()}, found nothing there: install nn3d again")
    return path


def bundled_runs() -> dict[str, Path]:
    """The runs that come along: name → path of the packed file, the one to show first in front."""
    runs = {path.stem: path for path in sorted((assets_dir() / "runs").glob("*.npz"))}
    return dict(sorted(runs.items(), key=lambda item: item[0] != "lenet-mnist"))


def bundled_tours() -> dict[str, Path]:
    """Tours of the bundled runs: name of the run → path of the JSON file."""
    return {path.stem: path for path in sorted((assets_dir() / "tours").glob("*.json"))}


def shaders_dir() -> Path:
    """Folder of the GLSL files, with its include/ folder."""
    return _PACKAGE / "shaders"
