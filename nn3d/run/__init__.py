"""What a run is, and how it lies on disk. numpy only: no framework, no graphics."""
