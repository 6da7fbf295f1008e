"""Words of names in the code that the glossary need not explain: standard terms, and plain English with one meaning."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TECHNICAL = _words(
    """
    amazon api app application arrays auth barcode blocked bulk cells certificate cli client columns compression config
    connections cookie cookies copy credentials currency database db device dispatcher endpoint engine etsy factor
    field fields file files folder format gtin gzip hash hashing host hosts http id idempotency identity ids index json
    loader loaders lock locked log logs lookups metrics migrate migration migrations openapi origin parameter password
    passwords pin pins port pos postgres probe protocol proxies public queries query queue request requests response
    result results rounds scan schema secret secure security send sender server serving settings shapes shopify sorting
    sqlite square standard static stream streams string table terminal text throttle tls token tokens transaction type
    undo undoable url web window woocommerce workers
    """
)
"""What a programmer or a bookkeeper calls so everywhere."""

PLAIN = _words(
    """
    active add address adhoc adjust admin age ahead allocated allowed already amend answer any append arrived as
    attempts availability away back backorder bad balance begun bench beside body bounded bounds break by call came
    cancel candidate cause change changed choice chooser close code complete condition conflict contended context core
    correct cost counter create crowded day decide demands demo description docs doubled dry edit elsewhere ended ends
    entered error established ever everything exact exempt expected expiry failure figures fill for forbidden foreign
    foreseen form found from fulfill full gone goods grantable head health holdfast hours idle in inventory kept kind
    large last late layout learned left limits list load loaded looked lost main malformed many mark max meaning merged
    mismatch missing misuse mode move movement name named names near new no not note nothing number of only open opener
    operation org outcome outdated outright overloaded overview own owners paid passed past patience pending person
    plain planned possible post prepared previous price priced proportion purchases put quantity quote read receive
    refresh refused rejected reliance remove rename reply reserve reset retail revert revoke rights roll rule run said
    save second section seen sent shape share shelf ship shop shown shutdown sign single snapshot sold sought stats
    status still strict stuck sum summary sweeper take taken taxable terms through till time to too totals totp touched
    traffic transit trial tried trusted try unavailable uncounted unknown unlimited unlist unreachable unread
    valid view visitor wait way weak week whole with within without wrong
    """
)
"""Words of every day that mean here what they mean there."""
