"""Operating a home: `clapboard up` starts and minds its server, workers and review page; `down` and `status`."""
