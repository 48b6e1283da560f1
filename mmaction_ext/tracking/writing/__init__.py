"""What a run leaves behind: its ledger, its W&B log, its signs of life and its end."""
