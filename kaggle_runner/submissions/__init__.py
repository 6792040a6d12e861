"""What is submitted to a leaderboard, when it is worth it, and never twice."""
