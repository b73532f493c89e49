"""Built-in tasks, and the registry that finds them and the user's own."""
