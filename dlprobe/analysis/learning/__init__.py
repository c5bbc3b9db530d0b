"""Whether and how fast a run learned, from its evaluations, its batch loss and its rate."""
