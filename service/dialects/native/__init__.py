"""The native dialect: a superset of what the tutorial's page speaks (docs/reference.md, "The native API")."""
