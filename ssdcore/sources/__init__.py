"""Where data sets come from.

A data source is a module here with a function `fetch(params, folder)`, and a section of its name in
`ssdcore.params.dataset.DatasetParams`. The parameter `dataset.name` chooses it.
"""
