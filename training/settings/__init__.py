"""What a run is told: one model, from presets, a YAML file and `--set a.b=c`; options of a backbone."""
