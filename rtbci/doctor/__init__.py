"""What this computer and network can do, before a participant arrives."""
