"""``python -m echo_augment.training_recipes JOB ...``: the command, for launchers that take a module."""

from .cli import main

if __name__ == "__main__":
    main()
