"""What can be read, and how: files of many formats, databases, images, tables handed in from Python.

source     a table as fragments, each read on its own into raw pyarrow tables
files      where files lie; partitions, patterns: what folders' and files' names say
lines      records of a text, found before they are parsed: breaks, ranges, whitespace, undecodable
text       delimited text, parsed; decimals: numbers not written as 1234.5; jsons, json_array: JSON lines and arrays
arrow      files of Arrow's own; parquet; idx and image_folder: images
sql/       a query's rows, in parts of one state of the database
handed     tables handed in from Python; frames: those as Arrow
layout     the columns that the files of a table share; changes: what differs in one
sniff      how a text is written, from its first bytes; header, marks, survey, pieces, sample: a bounded look at a table
log        what reading passed over or mended
"""
