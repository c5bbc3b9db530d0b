"""What exported files are, in words with their article, and what marks them: a file is replaced
only by one of its own kind.
"""

CSV, PARQUET, NPZ = "an exported table", "an exported Parquet table", "an exported NumPy archive"
NETCDF, EVENTS = "a netCDF export", "a TensorBoard event file"
ARCHIVE_COMMENT = b"dlprobe-export"  # at the end of an archive
SCHEMA = "dlprobe-export"  # attribute of a netCDF file
