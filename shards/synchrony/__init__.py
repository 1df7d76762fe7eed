"""What the learned sync classifier sees and is: the one network that training makes and curation scores with."""
