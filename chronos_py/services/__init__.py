"""Use cases: what a person or a client can ask of the scheduler, as functions of an :class:`Application`.

The web pages, both HTTP APIs and nothing else stand on these. They raise the errors of
:mod:`chronos_py.errors`, whose messages may be shown as they are.
"""

from chronos_py.services.application import Application, Term

__all__ = ["Application", "Term"]
