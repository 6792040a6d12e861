"""What the server's database and folders keep: users' submissions, kernels, datasets, posts."""
