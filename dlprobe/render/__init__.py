"""One file or folder per output format, each turning a `Document` into text and registering itself:
`terminal` (table), `json`, `markdown`, and those of CI.

`document` holds the blocks a report is made of, without any formatting; `checked` adds what the
formats for findings draw. Every format offers `render(document, stream, *, width=None,
color=None)`. May import `errors`, `registry` and `config` only; the results that are shown are
passed in.
"""
