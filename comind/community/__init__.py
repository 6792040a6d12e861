"""What others published: fetched, kept, sampled, offered to agents; and what a run publishes."""
