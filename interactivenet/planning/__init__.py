"""From what is measured on a dataset to the plan: every decision about a task."""
