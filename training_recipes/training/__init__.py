"""The training loop, and what trainings of every task have in common."""
