"""What to run and what to show: studies, the paper's numbers, tables."""
