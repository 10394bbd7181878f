"""Decides what should happen: a pure fold from a log of records to decisions about users.

Nothing in this package knows a clock, a socket, Kafka, Faust or asyncio; the records' own timestamps are the only time.
`triggers.engine.partition.Partition` is the way in for a worker, `triggers.testing` the one for a test.
"""
