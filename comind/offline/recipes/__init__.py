"""Code generation: from a recipe and a competition's facts to the cells of a readable notebook."""
