"""Owns what one layer of a design says, read with the words for what is wrong: which layer, and in which line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nn3d.errors import SourceError
from nn3d.run.model import JSON

Shape = tuple[int, ...]
MOST = 1 << 31
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class DesignLayer:
    """One layer as it was written. inputs : names; () means the layer before it. line : from 1, 0 where unknown."""

    name: str
    op: str
    sizes: Mapping[str, JSON]
    inputs: tuple[str, ...] = ()
    line: int = 0


@dataclass(slots=True)
class Sizes:
    """The sizes of a layer, each asked for once; `done` refuses those that nobody asked for."""

    path: str
    layer: DesignLayer
    asked: list[str] = field(default_factory=list)

    def fail(self, what: str) -> SourceError:
        """An error that names the file, the layer and its line."""
        line = f" (line {self.layer.line})" if self.layer.line else ""
        return SourceError(f"{self.path}: layer {self.layer.name!r}{line}: {what}")

    def _take(self, name: str, default: JSON) -> JSON:
        self.asked.append(name)
        value = self.layer.sizes.get(name, default)
        if value is _ABSENT:
            raise self.fail(f"expected {name} of {self.layer.op}, got none. Add {name} = ….")
        return value

    def number(self, name: str, default: JSON = _ABSENT, least: int = 1) -> int:
        """A whole number."""
        value = self._take(name, default)
        if type(value) is not int or not least <= value < MOST:
            raise self.fail(f"expected {name} to be a whole number from {least} on, got {str(value)[:40]}.")
        return value

    def numbers(self, name: str, n: int, default: JSON = _ABSENT, least: int = 1) -> list[int]:
        """`n` whole numbers; one number stands for all."""
        value = self._take(name, default)
        values = [value] * n if type(value) is int else value
        if not isinstance(values, list) or len(values) != n or not all(type(v) is int for v in values):
            raise self.fail(f"expected {name} to be a number or {n} numbers, got {str(value)[:40]}.")
        if not all(least <= v < MOST for v in values):
            raise self.fail(f"expected {name} from {least} on, got {str(value)[:40]}.")
        return values

    def some(self, name: str, default: JSON = _ABSENT) -> list[int]:
        """A list of whole numbers, of any length up to 8; negative ones, too."""
        value = self._take(name, default)
        values = [value] if type(value) is int else value
        if not isinstance(values, list) or len(values) > 8 or not all(type(v) is int for v in values):
            raise self.fail(f"expected {name} to be a list of numbers, got {str(value)[:40]}.")
        return values

    def real(self, name: str, default: float) -> float:
        """A finite number."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
            raise self.fail(f"expected {name} to be a number, got {str(value)[:40]}.")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.fail(f"expected {name} to be true or false, got {str(value)[:40]}.")
        return value

    def word(self, name: str, default: str, known: Sequence[str]) -> str:
        """One of some words."""
        value = self._take(name, default)
        if value not in known:
            raise self.fail(f"expected {name} to be one of {', '.join(known)}, got {str(value)[:40]}.")
        return str(value)

    def has(self, name: str, value: JSON) -> bool:
        """Whether a size is given as this value; that counts as asked for."""
        is_so = bool(self.layer.sizes.get(name) == value)
        if is_so:
            self.asked.append(name)
        return is_so

    def done(self) -> None:
        """Raises SourceError for a size that the operation does not have."""
        odd = next((name for name in self.layer.sizes if name not in self.asked), None)
        if odd is not None:
            known = ", ".join(dict.fromkeys(self.asked)) or "no sizes"
            raise self.fail(f"expected sizes of {self.layer.op} ({known}), got {odd[:40]!r}.")


def rank_of(sizes: Sizes, shapes: Sequence[Shape], ranks: Sequence[int], what: str) -> Shape:
    """The one input's shape, checked for its number of axes."""
    if len(shapes) != 1:
        raise sizes.fail(f"expected one input, got {len(shapes)}.")
    if len(shapes[0]) not in ranks:
        raise sizes.fail(f"expected {what}, got {times(shapes[0])}.")
    return shapes[0]


def times(shape: Shape) -> str:
    """`6×24×24`."""
    return "×".join(map(str, shape)) or "one number"
