"""Floor 3: what trains and fills. Needs ``pip install 'echo-augment[recipes]'``."""

from echo_augment.cache.system.extras import need

need("recipes")
