"""How code that is not ours is confined, how long it may live, and how all of it ends."""
