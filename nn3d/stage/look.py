"""The look: colours of the two themes and the colour ramps, from docs of the design; sRGB, no tone mapping.

Hue means sign only (orange for, blue against); activation is one jade ramp; everything else is slate.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import F32, Colour, Palette

F64 = NDArray[np.float64]

# Björn Ottosson (2020), "A perceptual color space for image processing": linear sRGB → LMS → Oklab.
_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                 [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                 [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip

_THEMES: dict[str, dict[str, str | float]] = {
    "dark": {
        "bg0": "#1A2027", "bg1": "#0B0E12", "floor": "#2A333D", "shadow": "#05070A", "shadow_strength": 0.62,
        "rail": "#5B6672", "post": "#4A545F", "rim": "#6A7682", "side": "#3A434D", "fog": "#171C22", "halo": "#0D1116",
        "card": "#12171D", "text": "#E9EDF0", "text2": "#93A0AC", "text3": "#84919D", "accent": "#FFF3D6",
        "neutral": "#8E99A3", "positive": "#F29A45", "negative": "#5AA2EE", "identity": "#FFF3D6",
        "nonfinite": "#C76BD0", "bar": "#8E99A3", "grid": 0.55,
    },
    "light": {
        "bg0": "#FBFAF7", "bg1": "#ECEAE4", "floor": "#F4F2ED", "shadow": "#B9B4A8", "shadow_strength": 0.55,
        "rail": "#8C8A84", "post": "#A9A69E", "rim": "#A7A49B", "side": "#CFCBC2", "fog": "#F4F2ED", "halo": "#FBFAF7",
        "card": "#FFFFFF", "text": "#1B2126", "text2": "#5D666E", "text3": "#6C747A", "accent": "#11161A",
        "neutral": "#8A8F94", "positive": "#C2611A", "negative": "#2269B3", "identity": "#4A5259",
        "nonfinite": "#9A3CA6", "bar": "#8A8F94", "grid": 0.80,
    },
}  # fmt: skip
_SEQUENTIAL = {
    "dark": ("#1A2129", "#27505A", "#47877F", "#97C29C", "#FBF4D0"),
    "light": ("#F7F5EC", "#BFD6BC", "#6FA79B", "#2F6C70", "#0E2C36"),
}
# Ten or eleven even samples of matplotlib's maps (van der Walt, Smith, Firing 2015; Nuñez, Anderton, Renslow 2018).
_OTHERS = {
    "viridis": "440154 482475 414487 355F8D 2A788E 21918C 22A884 44BF70 7AD151 BDDF26 FDE725",
    "inferno": "000004 160B39 420A68 6A176E 932667 BC3754 DD513A F37819 FCA50A F6D746 FCFFA4",
    "magma": "000004 140E36 3B0F70 641A80 8C2981 B73779 DE4968 F7705C FE9F6D FECF92 FCFDBF",
    "cividis": "00224E 123570 3B496C 575D6D 707173 8A8678 A59C74 C3B369 E1CC55 FEE838",
}
_GREY = {"dark": ("#14181D", "#F5F5F0"), "light": ("#F4F2EC", "#14181D")}


def rgb(code: str) -> tuple[float, float, float]:
    """(r, g, b) in 0 … 1 of "#RRGGBB"."""
    r, g, b = (int(code[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return r, g, b


def colour(theme: str, name: str, alpha: float = 1.0) -> Colour:
    """A theme's colour by its name ("text", "card", "positive", …) with the given opacity."""
    code = _THEMES[theme][name]
    if not isinstance(code, str):
        raise KeyError(name)
    return (*rgb(code), alpha)


def _oklab(code: str) -> F64:
    c = np.array(rgb(code))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.asarray(_LAB @ np.cbrt(_LMS @ linear))


def _srgb(lab: F64) -> F64:
    linear = np.clip(((lab @ np.linalg.inv(_LAB).T) ** 3) @ np.linalg.inv(_LMS).T, 0.0, 1.0)
    return np.asarray(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))


def _ramp(codes: tuple[str, ...], n: int = 256) -> F32:
    """A ramp through the colours, smoothed in Oklab and re-spaced so that lightness runs linearly."""
    anchors = np.array([_oklab(c) for c in codes])
    t = np.linspace(0.0, 1.0, 2048)
    path = np.stack([np.interp(t, np.linspace(0.0, 1.0, len(codes)), anchors[:, i]) for i in range(3)], 1)
    padded = np.pad(path, ((128, 128), (0, 0)), "reflect", reflect_type="odd")
    path = np.stack([np.convolve(padded[:, i], np.ones(257) / 257, "valid") for i in range(3)], 1)
    order = np.argsort(path[:, 0])
    at = np.interp(np.linspace(path[order[0], 0], path[order[-1], 0], n), path[order, 0], t[order])
    if path[-1, 0] < path[0, 0]:
        at = at[::-1]
    return _srgb(np.stack([np.interp(at, t, path[:, i]) for i in range(3)], 1)).astype(np.float32)


def _diverging(theme: str, n: int = 256) -> F32:
    """Negative … ground … positive; the middle is the empty plate's own colour."""
    ground = np.array(rgb(_SEQUENTIAL[theme][0]))
    t = np.linspace(-1.0, 1.0, n)[:, None]
    ends = np.where(t < 0, np.array(colour(theme, "negative")[:3]), np.array(colour(theme, "positive")[:3]))
    return np.asarray(ground + (ends - ground) * np.abs(t), np.float32)


def _sequential(theme: str, ramp: str) -> F32:
    """Zero to full colour; the light theme turns other ramps round, so that much is dark on paper."""
    if ramp == "jade":
        return _ramp(_SEQUENTIAL[theme])
    rows = np.array([rgb(f"#{code}") for code in _OTHERS[ramp].split()])
    t, at = np.linspace(0.0, 1.0, 256), np.linspace(0.0, 1.0, len(rows))
    out = np.stack([np.interp(t, at, rows[:, i]) for i in range(3)], 1).astype(np.float32)
    return np.ascontiguousarray(out[::-1]) if theme == "light" else out


@cache
def palette(theme: str, ramp: str = "jade") -> Palette:
    """The palette of "dark" or "light", with one of the ramps for activations."""

    def c(name: str) -> Colour:
        return colour(theme, name)

    table = _THEMES[theme]
    ramps = {"seq": _sequential(theme, ramp), "grey": _ramp(_GREY[theme]), "div": _diverging(theme)}
    for rows in ramps.values():
        rows.setflags(write=False)
    return Palette(
        name=theme, background=(c("bg0"), c("bg1")), floor=c("floor"), shadow=c("shadow"),
        shadow_strength=float(table["shadow_strength"]), rim=c("rim"), side=c("side"), fog=c("fog"), halo=c("halo"),
        positive=c("positive"), negative=c("negative"), neutral=c("neutral"), identity=c("identity"),
        accent=c("accent"), nonfinite=c("nonfinite"), is_light=theme == "light", grid=float(table["grid"]), ramps=ramps,
    )  # fmt: skip
