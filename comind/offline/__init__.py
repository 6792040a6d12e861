"""The policy that answers without a language model: a deterministic responder with a shelf of recipes.

It reads chat messages and replies in the formats that the prompts ask for, behind the same `openai` client as
any model. It knows nothing of the store, the loop or the agents, and it is no intelligence: what it proposes
comes from the shelf, ordered by what the messages report.
"""
