"""How good a video is, and whether it follows its sound: metrics behind one protocol, each with controls."""
