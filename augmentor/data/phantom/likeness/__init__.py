"""How alike phantoms and real clips are, in figures: of their pixels and of their motion."""
