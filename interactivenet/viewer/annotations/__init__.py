"""What is kept of a case that was outlined: its files, its record, and whose they are."""
