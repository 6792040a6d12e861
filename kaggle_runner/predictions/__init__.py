"""The judge of prediction files: whether one can be scored, what it says, and what its words may mean."""
