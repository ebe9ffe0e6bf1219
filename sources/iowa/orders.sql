-- Iowa Liquor Sales, one manufacturer, to `orders`: what each store bought of it. Left out: lines of no dollars (free or
-- corrected to nothing). Returns are invoices RINV... and lines of negative dollars or bottles. An invoice holds an item
-- on several lines; these are summed, and none is taken for a repeat, for the totals agree with the State's only so.
SELECT
    CAST(store AS VARCHAR) || '-' || invoice AS order_id,  -- an invoice number can occur at two stores
    CAST(store AS VARCHAR) AS account_id,
    min(CAST("date" AS TIMESTAMP)) AS ordered_at,
    item AS product_id,
    max(nullif(category, '')) AS product_line,  -- an item has one category
    sum(CAST(bottles AS BIGINT)) AS quantity,
    sum(CAST(dollars AS DECIMAL(18, 4))) AS amount,
    invoice LIKE 'RINV%' OR CAST(dollars AS DECIMAL(18, 4)) < 0 OR CAST(bottles AS BIGINT) < 0 AS is_return
FROM lines
WHERE CAST(dollars AS DECIMAL(18, 4)) <> 0
GROUP BY store, invoice, item, is_return
