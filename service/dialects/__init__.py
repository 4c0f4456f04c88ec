"""The formats our clients speak: request in, events out; pure."""
