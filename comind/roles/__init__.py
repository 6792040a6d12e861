"""The agents' roles: each module renders its prompt and reads the reply into a dataclass."""
