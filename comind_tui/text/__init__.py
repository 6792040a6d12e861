"""What both front ends say, in words and plain tables."""
