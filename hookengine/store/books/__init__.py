"""How a group of calls becomes one transaction, the same for every database.

A transaction is a conversation: `group.decide` says which rows it wants to see, decides in memory, and says
which rows to write. Each database answers in its own SQL; see `steps` for what it is asked.
"""
