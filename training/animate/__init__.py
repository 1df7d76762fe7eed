"""From an image and a sound to a video, by our sampler or on a diffusers pipeline."""
