"""Owns writing a design as Python: a torch module with the same layers, whose trace has the design's shapes."""

from __future__ import annotations

import keyword
import re

from nn3d.extract.design.building import Worked


def module_text(worked: Worked) -> str:
    """A Python file with one class; names of a design stand in it as identifiers, or as quoted text, never as code."""
    design = worked.design
    names = _variables([i.name for i in design.inputs] + [layer.name for layer in design.layers])
    made, computed = [], []
    parents: set[str] = set()
    for layer, built, reads in zip(design.layers, worked.built, worked.reads, strict=True):
        if built.module:
            made += [*_parents(layer.name, parents), f"{_place(layer.name)[0]}{built.module}{_place(layer.name)[1]}"]
        call = built.call.format(*(names[n] for n in reads), f=_called(layer.name))
        computed.append(f"{names[layer.name]} = {call}")
    ends = ", ".join(names[n] for n in worked.outputs)
    kind = "Tensor" if len(worked.outputs) == 1 else f"tuple[{', '.join(['Tensor'] * len(worked.outputs))}]"
    arguments = ", ".join(f"{names[i.name]}: Tensor" for i in design.inputs)
    title = _identifier(design.name, "Network")
    sizes = "; ".join(f"{names[i.name]} (N, {', '.join(map(str, i.shape))})" for i in design.inputs)
    lines = [
        f'"""{title}: written from a design by nn3d extract --emit."""', "", "from __future__ import annotations", "",
        *(["import torch"] if any("torch." in line for line in computed) else []),
        "from torch import Tensor, nn", "", "", f"class {title}(nn.Module):", f'    """Reads {sizes}."""', "",
        "    def __init__(self) -> None:", "        super().__init__()", *(f"        {line}" for line in made), "",
        f"    def forward(self, {arguments}) -> {kind}:", *(f"        {line}" for line in computed),
        f"        return {ends}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _is_plain(path: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in path.split("."))


def _place(path: str) -> tuple[str, str]:
    """What stands before and after the call that makes a module."""
    if _is_plain(path):
        return f"self.{path} = ", ""
    parent, _, last = path.rpartition(".")
    home = f"self.get_submodule({parent!r})" if parent else "self"
    return f"{home}.add_module({last!r}, ", ")"


def _called(path: str) -> str:
    return f"self.{path}" if _is_plain(path) else f"self.get_submodule({path!r})"


def _parents(path: str, known: set[str]) -> list[str]:
    """Lines that make the modules above one, each once."""
    parts, lines = path.split("."), []
    for k in range(1, len(parts)):
        parent = ".".join(parts[:k])
        if parent not in known:
            known.add(parent)
            before, after = _place(parent)
            lines.append(f"{before}nn.Module(){after}")
    return lines


def _variables(names: list[str]) -> dict[str, str]:
    """A Python name of its own for each."""
    taken, found = {"self", "nn", "torch", "Tensor"}, {}
    for name in names:
        word = re.sub(r"\W", "_", name, flags=re.ASCII)
        word = f"x_{word}" if not word.isidentifier() or keyword.iskeyword(word) or word in taken else word
        while word in taken:
            word += "_"
        taken.add(word)
        found[name] = word
    return found


def _identifier(name: str, otherwise: str) -> str:
    word = re.sub(r"\W", "", name.title() if not name.isidentifier() else name, flags=re.ASCII)
    return word if word.isidentifier() and not keyword.iskeyword(word) else otherwise
