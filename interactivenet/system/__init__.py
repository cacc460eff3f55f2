"""What has nothing to do with medicine: files, locks, archives, HTTP, processes, signals."""
