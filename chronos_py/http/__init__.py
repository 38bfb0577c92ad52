"""HTTP: the Flask application of a node, what holds for every request, and the server under it."""

from chronos_py.http.assembly import create_wsgi_app
from chronos_py.http.server import Server, bind, check_listen, own_names

__all__ = ["Server", "bind", "check_listen", "create_wsgi_app", "own_names"]
