"""Owns an exported program → a recording: its inputs as they were exported, its values as torch computes them."""

from __future__ import annotations

from pathlib import Path

from nn3d.errors import SourceError, TraceError
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.torch_export.archive import open_archive
from nn3d.extract.readers.torch_export.program import Exported, most_words
from nn3d.extract.rebuilt import Rebuilt, Want, record_rebuilt, without_running
from nn3d.extract.recording import Recording


def record(path: Path, options: SourceOptions) -> Recording:
    """Read and run an archive. Raises SourceError where it cannot be read."""
    archive = open_archive(path)
    try:
        program = Exported(archive)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, TraceError) as error:
        why = " ".join(str(error).split())[:160]
        if not archive.tensors:
            raise SourceError(f"{path}: expected a graph that can be read, got: {why}. Export it again.") from error
        return without_running(path, path.stem, archive.tensors, why, options, archive.left_out)
    wants = []
    for name in program.user_inputs:
        shape, is_whole = program.shapes[name], program.is_whole(name)
        wants.append(Want(name, shape, is_whole, most_words(archive.graph, name, program) if is_whole else 0))
    channels = wants[0].shape[1] if wants and len(wants[0].shape) == 4 else None
    if program.takes_any_number and wants and not options.samples:
        wants = [Want(w.name, (1, *w.shape[1:]), w.is_whole, w.below) for w in wants]
    rebuilt = Rebuilt(program, path.stem, [tuple(wants)], channels, archive.left_out, not program.takes_any_number)
    return record_rebuilt(path, rebuilt, options)
