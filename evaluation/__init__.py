"""Floor 4: what judges. Needs ``pip install 'echo-augment[recipes]'``."""

from echo_augment.cache.system.extras import need

need("recipes")
