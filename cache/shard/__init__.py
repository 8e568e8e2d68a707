"""The format of a shard, one sealed HDF5 file of clips: preamble, table, chunks, lazy clip, reader, writer."""
