-- Online Retail II to `orders`. Left out, each line by the first rule that meets it:
--   1. exact repeats of a line (the export holds them twice);
--   2. codes that are no product: postage, carriage, discounts, charges, fees, samples, vouchers, tests, adjustments;
--   3. lines without a price above 0: samples, breakages, notes of the warehouse;
--   4. negative pieces without a cancellation (corrections of stock), positive ones with it; rules 2 and 3 have met all;
--   5. an order line cancelled whole on the day it was placed, and its cancellation: that order did not take place.
-- Lines without a customer stay: ingest sets them aside and counts them.
WITH lines_once AS (
    SELECT DISTINCT
        CAST("Invoice" AS VARCHAR) AS order_id,
        upper(trim(CAST("StockCode" AS VARCHAR))) AS product_id,  -- 85123a and 85123A are one product
        CAST("Description" AS VARCHAR) AS description,
        CAST("Quantity" AS BIGINT) AS quantity,
        CAST("InvoiceDate" AS TIMESTAMP) AS ordered_at,
        CAST("Price" AS DECIMAL(18, 4)) AS price,
        CAST(CAST("Customer ID" AS DOUBLE) AS BIGINT) AS customer,
        CAST("Country" AS VARCHAR) AS country,
        "StockCode" AS stock_code  -- as typed, so that only exact repeats are dropped
    FROM lines
),

sales AS (
    SELECT *, order_id LIKE 'C%' AS is_return
    FROM lines_once
    WHERE regexp_matches(product_id, '^([0-9]{5}|DCGS|SP[0-9])')  -- five digits, or one of two ranges with letters
      AND price > 0
      AND (quantity < 0) = (order_id LIKE 'C%')
),

-- Order lines and cancellations of one customer, product, number of pieces and day, in turn. A cancellation takes back
-- the latest line still open, as a closing bracket does; `balance` is the depth. Some days go: cancel what was bought
-- earlier, enter it anew, cancel that too. Only the last two belong together.
turns AS (
    SELECT *, sum(if(is_return, -1, 1)) OVER turn AS balance
    FROM sales
    WINDOW turn AS (
        PARTITION BY customer, product_id, abs(quantity), CAST(ordered_at AS DATE)
        ORDER BY ordered_at, is_return, order_id, price, description, country, stock_code
        ROWS UNBOUNDED PRECEDING
    )
),

matched AS (
    SELECT
        *,
        customer IS NOT NULL AND if(
            is_return,
            balance >= least(0, coalesce(min(balance) OVER (turn ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)),
            balance > min(balance) OVER (turn ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
        ) IS TRUE AS cancelled_same_day
    FROM turns
    WINDOW turn AS (
        PARTITION BY customer, product_id, abs(quantity), CAST(ordered_at AS DATE)
        ORDER BY ordered_at, is_return, order_id, price, description, country, stock_code
    )
)

SELECT
    order_id,
    CAST(customer AS VARCHAR) AS account_id,
    min(ordered_at) AS ordered_at,
    product_id,
    sum(quantity) AS quantity,
    sum(quantity * price) AS amount,
    is_return
FROM matched
WHERE NOT cancelled_same_day
GROUP BY order_id, customer, product_id, is_return
