"""Owns the sources of a TorchScript archive: classes and functions by their qualified names, parsed, never compiled."""

from __future__ import annotations

import ast
import zipfile

from nn3d.errors import TraceError

MOST_SOURCE_BYTES = 1 << 24


class Sources:
    """code/ of an archive."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self._archive, self._root = archive, root
        self._names = frozenset(archive.namelist())
        self._parsed: dict[str, dict[str, ast.stmt]] = {}
        self._methods: dict[str, dict[str, ast.FunctionDef]] = {}

    def function(self, name: str) -> ast.FunctionDef:
        """A function by its qualified name, "__torch__.torch.nn.functional.relu". Raises TraceError without one."""
        found = self._find(name)
        if not isinstance(found, ast.FunctionDef):
            raise TraceError(f"{name[:100]}: expected a function in the file's code, got none.")
        return found

    def method(self, kind: str, name: str) -> ast.FunctionDef:
        """A method of a class by its qualified name. Raises TraceError without one."""
        if kind not in self._methods:
            found = self._find(kind)
            body = found.body if isinstance(found, ast.ClassDef) else []
            self._methods[kind] = {f.name: f for f in body if isinstance(f, ast.FunctionDef)}
        if name not in self._methods[kind]:
            raise TraceError(f"{kind[:100]}.{name[:60]}: expected it in the file's code, got none.")
        return self._methods[kind][name]

    def has_method(self, kind: str, name: str) -> bool:
        """Whether a class has a method."""
        try:
            self.method(kind, name)
        except TraceError:
            return False
        return True

    def _find(self, name: str) -> ast.stmt | None:
        path, _, last = name.rpartition(".")
        return self._file(path.replace(".", "/")).get(last)

    def _file(self, path: str) -> dict[str, ast.stmt]:
        if path not in self._parsed:
            member = f"{self._root}code/{path}.py"
            self._parsed[path] = self._parse(member) if member in self._names else {}
        return self._parsed[path]

    def _parse(self, member: str) -> dict[str, ast.stmt]:
        size = self._archive.getinfo(member).file_size
        if size > MOST_SOURCE_BYTES:
            raise TraceError(f"{member}: expected at most {MOST_SOURCE_BYTES:,} bytes, got {size:,}.")
        try:
            tree = ast.parse(self._archive.read(member).decode("utf-8"))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise TraceError(f"{member}: expected TorchScript, got: {' '.join(str(error).split())[:100]}.") from error
        return {s.name: s for s in tree.body if isinstance(s, ast.ClassDef | ast.FunctionDef)}
