"""The uniform mesh."""
