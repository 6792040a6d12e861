"""What the files of a competition are: read in any format, found by role, put in one shape."""
