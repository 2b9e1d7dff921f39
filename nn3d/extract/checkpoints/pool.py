"""Owns the child processes: each takes the next checkpoint when it is done with one; a dead one is replaced once."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from nn3d.extract.checkpoints.ledger import Entry
from nn3d.extract.checkpoints.task import Order

TRIES = 2
Answer = dict[str, Any]


class Pool:
    """Answers of n processes in the order in which they come. Use it as a context: leaving ends the processes."""

    def __init__(self, order: Order, n: int) -> None:
        threads = max(1, (os.cpu_count() or 1) // n)
        setup = {"order": order.to_json(), "threads": threads, "path": [p for p in sys.path if p] + [os.getcwd()]}
        self._setup, self._n = json.dumps(setup) + "\n", n
        self._tasks: queue.SimpleQueue[tuple[Entry, int]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Entry, Answer]] = queue.SimpleQueue()
        self._children: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_closed = True
            for child in self._children:
                child.kill()
        for thread in self._threads:
            thread.join()
        for child in self._children:
            with child:
                pass

    def run(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Answer]]:
        """Each entry with its answer. {"again": True}: the process could not make it, and the file is not at fault."""
        for entry in entries:
            self._tasks.put((entry, 0))
        for _ in range(min(self._n, len(entries))):
            thread = threading.Thread(target=self._serve, name="nn3d extraction", daemon=True)
            self._threads.append(thread)
            thread.start()
        for _ in entries:
            yield self._answers.get()

    def _serve(self) -> None:
        """Feed one process until nothing is left to do."""
        child = self._start()
        while True:
            try:
                entry, n_before = self._tasks.get_nowait()
            except queue.Empty:
                break
            child = child or self._start()
            answer = {"again": True} if child is None else self._ask(child, entry)
            if answer is not None:
                self._answers.put((entry, answer))
            elif self._is_closed:
                break
            elif n_before + 1 < TRIES:
                child = None
                self._tasks.put((entry, n_before + 1))
            else:
                child = None
                self._answers.put((entry, {"error": f"{entry.file}: the process that read it died."}))
        if child is not None and child.stdin is not None:
            child.stdin.close()

    def _start(self) -> subprocess.Popen[str] | None:
        command = [sys.executable, "-m", "nn3d.extract.checkpoints.worker"]
        with self._lock:
            if self._is_closed:
                return None
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                encoding="utf-8", env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )  # fmt: skip
            self._children.append(child)
        return child if self._say(child, self._setup) and self._line(child) is not None else None

    def _ask(self, child: subprocess.Popen[str], entry: Entry) -> Answer | None:
        if not self._say(child, json.dumps({"file": entry.file, "id": entry.id}) + "\n"):
            return None
        return self._line(child)

    @staticmethod
    def _line(child: subprocess.Popen[str]) -> Answer | None:
        """What it answers; None when it has died."""
        assert child.stdout is not None
        line = child.stdout.readline()
        found: Answer | None = json.loads(line) if line.endswith("\n") else None
        return found

    @staticmethod
    def _say(child: subprocess.Popen[str], text: str) -> bool:
        assert child.stdin is not None
        try:
            child.stdin.write(text)
            child.stdin.flush()
        except (OSError, ValueError):
            return False
        return True
