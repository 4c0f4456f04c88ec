"""All that knows AWS: the wire, the models and the one door to them."""
