"""The steps of one round: study, propose, draft; and what all of them know."""
