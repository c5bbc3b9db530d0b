"""Mean-field theory: what a net at initialization will do, without training it."""
