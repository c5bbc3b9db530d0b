"""dlprobe: does signal and gradient flow through an MLP, does it generalise, and what should change?"""
