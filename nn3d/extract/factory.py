"""Owns --model: PKG.MOD:FACTORY, torchvision:NAME, timm:NAME, hf:FOLDER → a torch module."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.inputs import Transform


@dataclass(frozen=True, slots=True)
class Made:
    """What a factory gave. transform : a picture's preprocessing, None when it gave none.

    folder : of Hugging Face, None for any other model.
    """

    module: Any
    name: str
    transform: Transform | None = None
    folder: Path | None = None


def require(framework: str, extra: str = "torch") -> Any:
    """Import a framework. Raises SourceError naming the extra to install when it is missing."""
    try:
        return importlib.import_module(framework)
    except ImportError as error:
        raise SourceError(
            f"{framework}: expected it to be installed, got: {error}. "
            f"Run: pip install 'nn3d-viewer[{extra}]' {framework}"
        ) from error


def through_torch(module: str) -> Any:
    """A module of nn3d that imports torch. Raises SourceError naming the extra when torch is missing."""
    require("torch")
    return importlib.import_module(module)


def make(spec: str) -> Made:
    """Build the model that --model names. Raises SourceError when it cannot be found or built."""
    kind, _, name = spec.partition(":")
    if not name:
        raise SourceError(f"--model {spec}: expected PKG.MOD:FACTORY, torchvision:NAME, timm:NAME or hf:FOLDER.")
    torch = require("torch")
    makers = {"torchvision": _torchvision, "timm": _timm, "hf": _hugging_face}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = makers[kind](name) if kind in makers else _own(spec, kind, name)
    transform = None
    if isinstance(made, tuple) and len(made) == 2:
        made, transform = made
    if not isinstance(made, torch.nn.Module):
        raise SourceError(f"--model {spec}: expected a torch module or (module, transform), got {type(made).__name__}.")
    return Made(made, name, transform, Path(name) if kind == "hf" else None)


def _own(spec: str, package: str, name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(package)
        for part in name.split("."):
            found = getattr(found, part)
    except ImportError as error:
        raise SourceError(f"--model {spec}: expected {package} to be importable from {here}, got: {error}") from error
    except AttributeError as error:
        raise SourceError(f"--model {spec}: expected {package} to have {name}, got: {error}") from error
    if not callable(found) or isinstance(found, require("torch").nn.Module):
        return found
    try:
        return found()
    except Exception as error:  # the user's own code may raise anything
        text = str(error).splitlines()[0] if str(error) else ""
        got = f"{type(error).__name__}: {text}"
        raise SourceError(f"--model {spec}: expected a factory without arguments, got {got}") from error


def _torchvision(name: str) -> Any:
    models = require("torchvision").models
    try:
        return models.get_model(name, weights=None)
    except (ValueError, KeyError) as error:
        raise SourceError(f"--model torchvision:{name}: expected a model's name, got: {error}") from error


def _timm(name: str) -> Any:
    try:
        return require("timm").create_model(name, pretrained=False)
    except RuntimeError as error:
        raise SourceError(f"--model timm:{name}: expected a model's name, got: {error}") from error


def _hugging_face(name: str) -> Any:
    from nn3d.extract import huggingface

    return huggingface.load(huggingface.read_folder(Path(name)))
