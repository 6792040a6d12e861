"""Widgets of the screens. They show what they are handed, never own data, and parse no markup."""
