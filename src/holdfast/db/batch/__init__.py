"""One transaction of the executor: lock and load what a batch needs, answer its questions, save what it decided.

session.begin(...)         lock levels in one global order, and read
load_more(session, stock, wants)
save(session, stock)       a statement for each table, and the commit
"""
