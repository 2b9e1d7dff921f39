"""What Python says about itself, as words: its reference manual and the docstrings of its library; no download.

The manual is what `help("keywords")` reads. Text: Python Software Foundation, PSF licence version 2.
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics  # type: ignore[import-not-found,unused-ignore]

RARE = "<rare>"
_WORD = re.compile(r"[a-z]+(?:['’-][a-z]+)*|\d+|[.,;:()?!]")
_NOT_PROSE = re.compile(r"::=|>>>|\*{3,}|={3,}|[{}|\\]|^\s*(def|class|for|if|while|import|return|print)\b.*[:)]$", re.M)
_NOT_LIBRARY = ("site-packages", "test", "tests", "idlelib", "idle_test", "lib2to3", "pydoc_data")


def texts() -> Iterator[str]:
    """The manual's articles, then the docstrings of the library's modules, classes and functions, in order of name."""
    yield from (topics[name] for name in sorted(topics))
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if not set(path.relative_to(library).parts) & set(_NOT_LIBRARY):
            yield from docstrings(path)


def docstrings(path: Path) -> Iterator[str]:
    """Docstrings of one source file; of one that this Python cannot read, none."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def paragraphs(limit: int | None = None) -> list[list[str]]:
    """Paragraphs of prose as words in lower case and punctuation marks, each once; grammar and code are left out.

    limit : read on until so many are found.
    """
    found: dict[str, list[str]] = {}
    for text in texts():
        if limit is not None and len(found) >= limit:
            break
        for block in re.split(r"\n\s*\n", text):
            if _NOT_PROSE.search(block) or not block.rstrip().endswith((".", ":", ")")):
                continue
            words = _WORD.findall(block.lower().replace("’", "'"))
            if sum(word.isalpha() for word in words) >= max(8, 0.6 * len(words)):
                found[" ".join(words)] = words
    return list(found.values())[:limit]


def vocabulary(texts: list[list[str]], size: int) -> list[str]:
    """The `size` − 1 most frequent words, most frequent first, ties by the alphabet; RARE stands for all others."""
    counts = Counter(word for words in texts for word in words)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [RARE, *(word for word, _ in ranked[: size - 1])]
