"""`python -m nn3d` is the command `nn3d`."""

from __future__ import annotations

from nn3d.cli.main import main

if __name__ == "__main__":
    main()
