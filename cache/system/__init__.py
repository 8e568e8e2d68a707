"""What the operating system offers, made safe: atomic files, checksums, locks, signals, processes, JSON lines."""
