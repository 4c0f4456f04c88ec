"""One module for each change, with the name of the one before it."""
