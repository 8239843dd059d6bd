"""How much a reader may make of a file: no more than a file of its size can hold.

A few bytes can ask for gigabytes: by a length that they claim, by a list that holds
another one twice, which holds another one twice, and so on, or by packed zeros. Readers
claim what they are about to make from a budget, before they make it.
"""

FLOOR = 2**25
"""Elements that any file may hold: 256 MiB of double precision.

The tables that readers make take a few times that, which leaves a small file below two
gigabytes.
"""

PER_BYTE = 8
"""Elements for each byte of a file, where it is larger than four megabytes.

What is stored plainly needs one byte at least for an element. Twice that passes the
readers on the way to an array, so that the rest is for what files pack or share.
"""


class OverBudgetError(ValueError):
    """A file asks for more than a file of its size can hold."""


class Budget:
    """What may still be made of a file of so many bytes.

    An element is a number, a character, a byte, or a place in a container.
    """

    def __init__(self, size):
        self.size = size
        self.allowed = self.left = max(FLOOR, PER_BYTE * size)

    def claim(self, n_elements, what):
        """Take so many elements, or refuse what asks for them."""
        if n_elements > self.left:
            used = self.allowed - self.left
            raise OverBudgetError(
                f"{what} asks for {n_elements:.2g} elements beside {used:.2g} others, "
                f"and a file of {self.size} bytes may hold {self.allowed:.2g} in all"
            )
        self.left -= n_elements
