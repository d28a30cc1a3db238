"""How fast this computer is: figures measured side by side."""
