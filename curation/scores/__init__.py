"""One file per score; `registry.py` names them all. A score measures, it never decides."""
