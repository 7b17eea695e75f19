"""The data sources.

A data source is a module here and a section of the same name in
`ssdcore.params.dataset.DatasetParams`, whose `name` lists it and chooses one. Its function
`fetch(params, folder)` gets that section and writes the annotation files of both splits to
`folder`, the future data/raw. It returns a `ssdcore.data.manifest.FetchedSplit` for each split.
"""
