"""A census of random configurations: how often the rules are right about nets that nobody chose."""
