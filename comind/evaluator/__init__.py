"""The evaluator: it alone holds the validation labels, and it turns prediction files into scores.

profile.py looks at a competition's files, split.py writes the standard split, grader.py runs in the sandbox,
secrecy/ and checks.py say whether split and metric can be trusted, evaluator.py ties them together.
"""
