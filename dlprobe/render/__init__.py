"""One file per output format, each turning a `Document` into text: `terminal`, `json`, later Markdown, HTML and the CI formats.

`document` holds the blocks a report is made of, without any formatting; every format offers `render(document, stream, *, width=None, color=None)`.
May import `errors`, `registry` and `config` only; the results that are shown are passed in.
"""
