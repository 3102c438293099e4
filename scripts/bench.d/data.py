"""The tables and the changes that are measured. Every value is computed from its row's number: the same in every run."""

ORDERS = """
CREATE TABLE {table} (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  status ENUM('new', 'paid', 'shipped', 'returned') NOT NULL,
  total DECIMAL(12,2) NOT NULL,
  weight DOUBLE,
  quantity SMALLINT NOT NULL,
  express TINYINT(1) NOT NULL,
  sku VARCHAR(20) NOT NULL,
  note VARCHAR(200),
  attributes JSON,
  placed_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP(6) NOT NULL
)"""

ORDERS_VALUES = """
  i, 1 + (i * 7919) % 30000, 1 + i % 4, (i % 1000000) / 100, IF(i % 11 = 0, NULL, (i % 4000) / 8), i % 1000, i % 2,
  CONCAT('SKU-', LPAD(i % 100000, 8, '0')),
  CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN CONCAT('Leave at the door.\\nThank you, ', i)
    ELSE CONCAT('Zustellung an Nachbarn möglich, bitte klingeln; ', REPEAT(CHAR(97 + i % 26), i % 60)) END,
  JSON_OBJECT('gift', i % 2 = 0, 'colour', ELT(1 + i % 3, 'red', 'blue', 'grün'), 'visits', i, 'source', 'newsletter'),
  DATE_ADD('2020-01-01 00:00:00.000001', INTERVAL i * 37 SECOND), DATE_ADD('2024-01-01 12:00:00', INTERVAL i SECOND)"""

WIDE_KINDS = (
    ("INT", "i + {n}"),
    ("VARCHAR(60)", "CONCAT('column {n} of row ', i, ' äöü')"),
    ("DECIMAL(20,6)", "i * {n} / 8"),
    ("DATETIME(3)", "DATE_ADD('2000-01-01 01:02:03.456', INTERVAL i * {n} SECOND)"),
    ("BIGINT UNSIGNED", "IF((i + {n}) % 7 = 0, NULL, i * 1000003 * {n})"),
)

BULK = """
CREATE TABLE bulk (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  account INT NOT NULL,
  amount DECIMAL(14,4) NOT NULL,
  label VARCHAR(40) NOT NULL,
  body VARCHAR(200) NOT NULL,
  at DATETIME(3) NOT NULL
)"""

BULK_VALUES = """(account, amount, label, body, at)
  WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
  SELECT i % 10007, i / 16, CONCAT('label ', i), CONCAT(SHA2(i, 512), ' item ', LPAD(i, 12, '0')), DATE_ADD('2024-01-01', INTERVAL i SECOND) FROM n"""

PACED = """
CREATE TABLE probe (writer INT NOT NULL, n INT NOT NULL, payload VARCHAR(100) NOT NULL, PRIMARY KEY (writer, n));
CREATE TABLE account (id INT PRIMARY KEY, balance DECIMAL(14,2) NOT NULL, changed_at DATETIME(6) NOT NULL);
INSERT INTO account WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, i, NOW(6) FROM n;
DELIMITER //
CREATE PROCEDURE paced(w INT, transactions INT, gap DOUBLE)
BEGIN
  DECLARE i INT DEFAULT 1;
  DECLARE start, pause, sent DOUBLE;
  SET start = UNIX_TIMESTAMP(SYSDATE(6)) + gap * w / 4;
  WHILE i <= transactions DO
    SET pause = start + i * gap - UNIX_TIMESTAMP(SYSDATE(6));
    IF pause > 0 THEN DO SLEEP(pause); END IF;
    START TRANSACTION;
    INSERT INTO probe VALUES (w, i, REPEAT('x', 80));
    UPDATE account SET balance = balance + 1, changed_at = SYSDATE(6) WHERE id = 1 + (i * 7919 + w * 2500) % 10000;
    SET sent = UNIX_TIMESTAMP(SYSDATE(6));
    COMMIT;
    SELECT w, i, ROUND(sent, 6), UNIX_TIMESTAMP(SYSDATE(6));
    SET i = i + 1;
  END WHILE;
END//
DELIMITER ;
"""


def batches(rows, size):
    """(first, last) row numbers, `size` at a time."""
    return [(first, min(first + size - 1, rows)) for first in range(1, rows + 1, size)]


def numbers(first, last):
    """A table expression `n (i)` of these numbers."""
    return f"WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"


def load_orders(mysql, database, rows, table="orders"):
    """The orders table: 12 columns, some 240 bytes a row."""
    mysql.sql(ORDERS.format(table=table), database)
    for first, last in batches(rows, 50000):
        mysql.sql(f"SET cte_max_recursion_depth = 100000000; SET time_zone = '+00:00'; INSERT INTO {table} "
                  f"{numbers(first, last)} SELECT {ORDERS_VALUES} FROM n", database)


def load_wide(mysql, database, rows):
    """The wide table: 101 columns and a text of 4,000 bytes, some 7 KB a row."""
    kinds = [(f"c{n}", *WIDE_KINDS[n % len(WIDE_KINDS)], n) for n in range(1, 100)]
    columns = ", ".join(f"{name} {kind}" for name, kind, _, _ in kinds)
    values = ", ".join(value.format(n=n) for _, _, value, n in kinds)
    mysql.sql(f"CREATE TABLE wide (id INT PRIMARY KEY, {columns}, body MEDIUMTEXT NOT NULL)", database)
    for first, last in batches(rows, 5000):
        mysql.sql(f"SET cte_max_recursion_depth = 100000000; INSERT INTO wide {numbers(first, last)} "
                  f"SELECT i, {values}, REPEAT(SHA2(i, 256), 62) FROM n", database)


def write_bulk(mysql, database, transactions, rows):
    """So many transactions of so many inserted rows each."""
    statements = ["SET cte_max_recursion_depth = 100000000;"]
    for first, last in batches(transactions * rows, rows):
        statements.append(f"INSERT INTO bulk {BULK_VALUES.format(first=first, last=last)};")
    mysql.sql("\n".join(statements), database)


def write_updates(mysql, database, table, assignment, rows, size):
    """Every row changed once, `size` rows a transaction."""
    statements = [f"UPDATE {table} SET {assignment} WHERE id BETWEEN {first} AND {last};" for first, last in batches(rows, size)]
    mysql.sql("SET time_zone = '+00:00';\n" + "\n".join(statements), database)
