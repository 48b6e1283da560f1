"""Looking into models: what they cost, see, and gain over another; it imports nothing itself."""
