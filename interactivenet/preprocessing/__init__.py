"""From a scan to what the network sees: regions, samples, and their storage."""
