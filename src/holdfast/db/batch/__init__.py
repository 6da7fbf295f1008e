"""One transaction of the executor: lock and load what a batch needs, answer its questions, save what it decided.

begin(session, ...)                lock levels in one global order, and read
load_more(session, stock, wants)   read what a decision asks for
writes_of(stock, ...)              the statements, one for each table
session.finish(writes)             write and commit
"""
