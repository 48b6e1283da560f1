"""SynthMotion: short procedural clips whose classes differ by their motion alone."""
