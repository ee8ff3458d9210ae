"""Use cases, a file for each noun: check the input, open a transaction, change rows through `db`, return the row.

Neither GraphQL nor SQL is in here. Expected failures are raised as `errors.Problem`.
"""
