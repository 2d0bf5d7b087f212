"""Walking a written file from its first byte to its last: what the pinned muxers write is listed, all else is stray.

One module for each family of containers: `png.py`, `jpeg.py`, `tiff.py`. `window.py` reads by offset, `walk.py` has the
table.
"""
