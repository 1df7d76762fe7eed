"""What a run is told: the recipe, which gathers the settings of all rooms."""
