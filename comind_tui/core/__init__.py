"""What both front ends, the command line and the screens, are made of: no arguments, no widgets."""
