"""The language model: endpoints, the client, its budget and prices, and tolerant parsing of replies.

It knows nothing of the agents' roles beyond their names, and nothing of prompts.
"""
