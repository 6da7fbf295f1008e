"""Who and what a shop consists of: people, keys, stores, locations, products, accounts, and how they change.

    AddProduct(sku="MUG-1", title="Mug", price="12.00")
    ChangeLocation("MAIN", priority=1)

Records are changed here and nowhere else, each change with a line in the audit log. It may import the rooms below: a
location is not removed while sales or stock rely on it.
"""
