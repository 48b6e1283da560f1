"""Files: read from anybody without waiting or overflowing, written whole or not at all."""
