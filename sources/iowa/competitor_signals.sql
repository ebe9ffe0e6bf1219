-- What each store bought of this manufacturer and of all others, by month: our share of its wallet. A month is known
-- when it is over: `seen_on` is its last day, so that a cut-off on the first of the next month may use it. A month of
-- more returns than purchases has no share, and is left out.
SELECT
    CAST(store AS VARCHAR) || '-' || strftime("month", '%Y-%m') AS signal_id,
    CAST(store AS VARCHAR) AS account_id,
    last_day(CAST("month" AS DATE)) AS seen_on,
    'wallet' AS kind,
    round(own_dollars / (own_dollars + other_dollars), 4) AS value
FROM market
WHERE own_dollars >= 0 AND other_dollars >= 0 AND own_dollars + other_dollars > 0
    AND CAST(store AS VARCHAR) IN (SELECT CAST(store AS VARCHAR) FROM lines)
