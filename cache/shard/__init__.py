"""The format of a shard, one sealed HDF5 file of clips: preamble, table, chunks, LZ4 blocks, reader, writer.

``docs/reference/shard-format.md`` describes the file byte by byte.
"""
