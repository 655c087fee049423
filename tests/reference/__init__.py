"""The money rules a second time: written from the specification alone (addorder.md 5), to be held against the product.

Nothing here imports the product, and whoever changes a rule here reads the specification and not `worker/domain`: that
the two were written apart is all that makes their agreement worth something. Amounts are exact fractions, days are
counted one by one, the catalogue is the file as it was written; it may be slow.

    shops.py, requests.py   random shops and requests, from a seed
    placing.py              a request to its outcome; start reading here
    product.py              the same request through the worker's own line
    comparing.py            where they differ

`python -m tests.reference --help` plays one seed again. Where the specification is silent, the docstring of the rule
says how it is read.
"""
