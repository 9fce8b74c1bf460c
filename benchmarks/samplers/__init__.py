"""Our samplers and their peers on the same tasks, seeds and budgets; see README.md in this folder."""
