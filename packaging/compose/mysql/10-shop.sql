-- A small shop to try rowferry with: four tables, some 600,000 rows, and customers who go on ordering while the
-- desk is open. Used by scripts/demo and by docker-compose.yml.
SET NAMES utf8mb4;

CREATE DATABASE desk;
CREATE TABLE desk.is_open (since TIMESTAMP PRIMARY KEY);
CREATE DATABASE shop;
USE shop;
SET cte_max_recursion_depth = 10000000;
CREATE TABLE customers (
  id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
  name VARCHAR(80) NOT NULL,
  email VARCHAR(120) NOT NULL UNIQUE,
  tier ENUM('bronze', 'silver', 'gold') NOT NULL DEFAULT 'bronze',
  balance DECIMAL(14,4) NOT NULL DEFAULT 0,
  born DATE,
  preferences JSON,
  joined_at DATETIME(3) NOT NULL,
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)
);
CREATE TABLE orders (
  id BIGINT PRIMARY KEY AUTO_INCREMENT,
  customer_id INT UNSIGNED NOT NULL,
  status ENUM('new', 'paid', 'shipped', 'returned') NOT NULL DEFAULT 'new',
  total DECIMAL(12,2) NOT NULL,
  note TEXT,
  placed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  KEY (customer_id)
);
CREATE TABLE order_items (
  order_id BIGINT NOT NULL,
  line SMALLINT UNSIGNED NOT NULL,
  article VARCHAR(20) NOT NULL,
  quantity MEDIUMINT UNSIGNED NOT NULL,
  price DECIMAL(10,2) NOT NULL,
  weight DOUBLE,
  PRIMARY KEY (order_id, line)
);
CREATE TABLE payments (
  id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
  order_id BIGINT NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  card BINARY(8),
  refunded TINYINT(1) NOT NULL DEFAULT 0,
  paid_at DATETIME(6) NOT NULL
);
INSERT INTO customers (name, email, tier, balance, born, preferences, joined_at)
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
  SELECT CONCAT(ELT(1 + i % 6, 'Ana', 'Bjørn', 'Chloé', 'Δήμητρα', '李雷', 'Zoë'), ' ', i), CONCAT('customer', i, '@example.com'),
    1 + i % 3, i * 1.0625, IF(i % 7 = 0, NULL, DATE_ADD('1950-01-01', INTERVAL i DAY)),
    IF(i % 5 = 0, NULL, JSON_OBJECT('newsletter', i % 2 = 0, 'colour', ELT(1 + i % 3, 'red', 'blue', 'grün'), 'visits', i)),
    DATE_ADD('2020-01-01 08:00:00.123', INTERVAL i MINUTE) FROM n;
INSERT INTO orders (customer_id, status, total, note, placed_at)
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
  SELECT 1 + (i * 7919) % 30000, 1 + i % 4, (i % 50000) / 100,
    CASE i % 4 WHEN 0 THEN CONCAT('Leave at the door.\nThank you, ', i) WHEN 1 THEN '' END,
    DATE_ADD('2024-01-01', INTERVAL i * 37 SECOND) FROM n;
INSERT INTO order_items
  SELECT o.id, l.line, CONCAT('A-', (o.id * 31 + l.line) % 5000), 1 + (o.id + l.line) % 9, ((o.id * l.line) % 20000) / 100,
    IF(o.id % 11 = 0, NULL, ((o.id + l.line) % 400) / 8)
  FROM orders o JOIN (SELECT 1 AS line UNION ALL SELECT 2 UNION ALL SELECT 3) l ON l.line <= 1 + o.id % 3;
INSERT INTO payments (order_id, amount, card, refunded, paid_at)
  SELECT id, total, UNHEX(LPAD(HEX(id * 256), 16, '0')), id % 97 = 0, placed_at FROM orders WHERE status <> 'new';

-- Customers at work, as long as the shop is open: every round is one transaction over all four tables; some orders
-- are cancelled, some keys moved.
DELIMITER //
CREATE PROCEDURE work(breath DOUBLE)
BEGIN
  DECLARE r INT DEFAULT 0;
  DECLARE new_order BIGINT;
  DECLARE old_order BIGINT;
  DECLARE old_payment BIGINT;
  WHILE EXISTS (SELECT 1 FROM desk.is_open) DO
    BEGIN
      DECLARE EXIT HANDLER FOR 1205, 1213 ROLLBACK; -- a deadlock: these customers go home
      START TRANSACTION;
      INSERT INTO orders (customer_id, total) VALUES (1 + FLOOR(RAND() * 30000), ROUND(RAND() * 500, 2));
      SET new_order = LAST_INSERT_ID();
      INSERT INTO order_items VALUES (new_order, 1, 'A-1', 2, 9.99, 0.5), (new_order, 2, 'A-2', 1, 5, NULL);
      INSERT INTO payments (order_id, amount, card, paid_at) VALUES (new_order, 24.98, RANDOM_BYTES(8), NOW(6));
      UPDATE orders SET status = 'paid' WHERE id = new_order;
      UPDATE customers SET balance = balance - 24.98, tier = 'gold' WHERE id = 1 + new_order % 30000;
      SET old_order = 1 + FLOOR(RAND() * 150000);
      SET old_payment = 1 + FLOOR(RAND() * 100000);
      IF r % 5 = 0 THEN
        DELETE FROM payments WHERE id = old_payment;
        DELETE FROM order_items WHERE order_id = old_order;
        DELETE FROM orders WHERE id = old_order;
      ELSEIF r % 5 = 1 THEN
        UPDATE order_items SET line = line + 100 WHERE order_id = old_order AND line < 100;
      ELSE
        UPDATE orders SET status = 'shipped', total = total + 1 WHERE id = old_order;
      END IF;
      COMMIT;
    END;
    SET r = r + 1;
    DO SLEEP(breath);
  END WHILE;
END//
-- Twenty single commits; each tells its clock just before.
CREATE PROCEDURE probe()
BEGIN
  DECLARE r INT DEFAULT 1;
  WHILE r <= 20 DO
    START TRANSACTION;
    INSERT INTO customers (id, name, email, joined_at) VALUES (1000000 + r, 'Probe', CONCAT('probe', r, '@example.com'), NOW(3));
    SELECT 1000000 + r, UNIX_TIMESTAMP(SYSDATE(6));
    COMMIT;
    SET r = r + 1;
    DO SLEEP(0.1);
  END WHILE;
END//
DELIMITER ;

ANALYZE TABLE customers, orders, order_items, payments;
