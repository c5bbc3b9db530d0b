"""One file per report: result record → Document, without formatting. The records are passed in;
nothing is read or computed here.

May import `render.document` and `render.checked` only, and for annotations `analysis`, `runs`,
`rules` and `experiments`.
"""
