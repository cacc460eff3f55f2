"""What can be opened: scans of folders, raw tasks and uploads, in the order they are offered."""
