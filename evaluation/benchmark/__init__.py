"""Arms x label fractions x seeds: the design, its trainings and caches, and sweeps over one setting."""
