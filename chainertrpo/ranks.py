"""Sums over the processes that share a batch; here there is one.

The sums over rows of a natural step go through `sum`, its largest values through
`largest`.  With one process both are the identity.
"""

rank, size = 0, 1


def sum(x):  # noqa: A001 (the field's word)
    """Σ over the processes of x, an array or a number, the same on each of them."""
    return x


def largest(x):
    """The largest over the processes of x, an array, the same on each of them."""
    return x
