"""SQL: one decision is one transaction; every write of a leader is guarded by its epoch.

One module per subject. Functions take an open connection from :class:`chronos_py.store.database.Database` and
return plain values of the model.
"""
