"""Programs that print a table: what nn3d costs, each cost beside the floor that nobody can get under."""
