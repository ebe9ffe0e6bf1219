-- Iowa Liquor Sales, all that each store bought of the State's wholesale monopoly, to `orders`, a row an invoice. Returns
-- are invoices RINV... and those of negative dollars or bottles; invoices of no dollars are left out.
SELECT
    CAST(store AS VARCHAR) || '-' || invoice AS order_id,  -- an invoice number can occur at two stores
    CAST(store AS VARCHAR) AS account_id,
    min(CAST("date" AS TIMESTAMP)) AS ordered_at,
    sum(CAST(bottles AS BIGINT)) AS quantity,
    sum(CAST(dollars AS DECIMAL(18, 4))) AS amount,
    invoice LIKE 'RINV%' OR CAST(dollars AS DECIMAL(18, 4)) < 0 OR CAST(bottles AS BIGINT) < 0 AS is_return
FROM state_orders
WHERE CAST(dollars AS DECIMAL(18, 4)) <> 0
GROUP BY store, invoice, is_return
