"""What a store does now and then, once for all databases, over a connection of SQLAlchemy's.

The caller begins and ends the transaction; nothing here commits. All times are those of the clock that the
caller goes by.

Locks are taken in the same order as by the hot path: actions, lanes by id, gates, then the row of
`definitions`, then hooks by id.
"""
