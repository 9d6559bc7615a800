"""No physics: errors, units, executors, progress, safe writing."""
