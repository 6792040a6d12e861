"""What taking part in a competition needs: its kind, its rules, and a look before anything is spent."""
