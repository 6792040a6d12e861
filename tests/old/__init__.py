"""Databases that earlier versions of CoMind wrote, as they wrote them, and what is read of them now."""
