"""Words of names in the code that the glossary need not explain: standard terms, and plain English with one meaning."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TECHNICAL = _words(
    """
    api app application arrays auth barcode blocked bulk cells certificate cli client columns config connections
    cookies copy credentials currency database db device dispatcher endpoint engine factor field fields file files
    folder format gtin hash hashing host hosts http id idempotency identity ids index json loader loaders lock locked
    log logs lookups metrics migrate migration migrations openapi origin parameter password passwords pin pins port pos
    postgres probe protocol proxies public queries query queue request requests response result results rounds scan
    schema secret secure security send sender server serving settings shapes shopify sqlite standard static stream
    streams string table terminal text throttle tls token tokens transaction type undo undoable url web window workers
    """
)
"""What a programmer or a bookkeeper calls so everywhere."""

PLAIN = _words(
    """
    active add address adhoc adjust admin age ahead allocated allowed already amend answer any append arrived as at
    attempts away back backorder bad balance begun bench beside body bounded bounds break by call came cancel candidate
    cause change changed choice chooser close code complete condition conflict contended context core cost counter
    create crowded day dead decide demands demo docs doubled dry edit elsewhere ended ends entered error established
    ever everything exact exempt expected expiry failure fill for forbidden foreseen form found from fulfill full gone
    goods grantable group head health history holdfast hours idle in inventory kept kind large last late layout left
    limits list load loaded looked loose lost main malformed many max meaning merged mismatch missing misuse mode money
    move movement named names near new no not note nothing number of only open opener operation org outcome outdated
    outright overloaded overview own owners past patience pending person place plain planned possible post prepared
    previous price priced proportion purchases put quantity quote read receive refresh refused rejected reliance remove
    rename reply reserve reset retail revert revoke rights roaming roll rule run save second section seen sent shape
    share shelf ship shop shutdown sign single snapshot sold sought stats status still strict stuck sum summary sweeper
    taken taxable terms through till time to too totals totp touched traffic transit trial tried trusted try
    unavailable uncounted unknown unlimited unlist unreachable unread view visitor wait weak week whole with within
    without wrong
    """
)
"""Words of every day that mean here what they mean there."""
