"""Numbers as the original, a Java program, prints its doubles."""

from __future__ import annotations

from decimal import Decimal


def double_text(number: float) -> str:
    """A finite number as Java's ``Double.toString`` writes it: ``128.0``, ``0.001``, ``1.0E7``, ``1.0E-4``."""
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return str(float(number))
    sign, digits, exponent = Decimal(repr(float(number))).normalize().as_tuple()
    assert isinstance(exponent, int)
    first, rest = str(digits[0]), "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{exponent + len(digits) - 1}"
