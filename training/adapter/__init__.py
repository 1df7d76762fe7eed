"""The only trained thing: its shapes, its layers, its budget, and itself on disk."""
