"""A live notebook in the sandbox: its cells, their outputs and ends, and the file that is left."""
