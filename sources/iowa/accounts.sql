-- The stores of the State's master, and those seen in the lines alone, of which nothing but the number is known. The
-- master is a snapshot of November 2022: names and addresses show accounts in reports, and no date is taken from it.
-- No region: the master knows the postcodes of survivors only, so that an empty one would betray the loss
-- (docs/sources.md has the measurement).
SELECT
    coalesce(master."Store", CAST(seen.store AS VARCHAR)) AS account_id,
    master."Name" AS name,
    concat_ws(', ', master."Address", master."City") AS address
FROM stores AS master
FULL JOIN (SELECT DISTINCT store FROM lines) AS seen ON master."Store" = CAST(seen.store AS VARCHAR)
