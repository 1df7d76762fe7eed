"""A page in the browser to try an adapter on an image and a sound."""
