"""What is known of each model: rows, ids and profiles, and the model that a name stands for."""
