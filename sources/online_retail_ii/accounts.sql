-- The customers of Online Retail II. A customer with lines from several countries (13 of them) has the latest one's.
-- The day on which the relationship began is not in the data, and so is left out.
SELECT
    CAST(CAST(CAST("Customer ID" AS DOUBLE) AS BIGINT) AS VARCHAR) AS account_id,
    arg_max("Country", (CAST("InvoiceDate" AS TIMESTAMP), "Invoice", "Country")) AS region
FROM lines
WHERE "Customer ID" IS NOT NULL
GROUP BY ALL
