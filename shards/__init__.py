"""The ground floor: what a published data set looks like, and what every room shares.

Record schema, shard writer and reader, snapshots, storage, and the one exception tree. Knows nothing of curation,
training or Prefect; plain `webdataset` and `pyarrow` can read all it writes.
"""
