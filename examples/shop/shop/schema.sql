CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('picture', 'document')),
  name TEXT NOT NULL,            -- what the owner called it
  stored_as TEXT NOT NULL,       -- what it is called in our folder
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);

CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  price_cents INTEGER NOT NULL,
  stock INTEGER NOT NULL CHECK (stock >= 0),
  drawing TEXT NOT NULL DEFAULT 'parcel',   -- static/products/<drawing>.svg, until a picture is uploaded
  picture_id INTEGER REFERENCES files ON DELETE SET NULL
);

CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,     -- never reused: the event stream counts on it
  product_id INTEGER REFERENCES products ON DELETE SET NULL,
  product TEXT NOT NULL,
  customer TEXT NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  total_cents INTEGER NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);

INSERT INTO products (name, price_cents, stock, drawing, description) VALUES
  ('Morning cup', 2400, 140, 'cup', 'A round-bellied cup that keeps coffee warm for as long as you need to wake up. Fits the hand, not the cup holder.'),
  ('Tall vase', 6800, 35, 'vase', 'One long neck for one long stem. Thrown in two parts and joined while the clay still listens.'),
  ('Teapot', 8900, 24, 'teapot', 'Pours a clean line and stops when you do. Holds four cups, or one long conversation.'),
  ('Serving bowl', 5400, 60, 'bowl', 'Wide, low and unhurried. Blue glaze inside, bare clay outside, salad in the middle.'),
  ('Herb planter', 3200, 80, 'planter', 'Unglazed terracotta that breathes. Comes with a saucer; the basil is up to you.'),
  ('Water jug', 5900, 42, 'jug', 'A litre and a half of cold water with a handle you can trust.'),
  ('Supper plate', 2800, 200, 'plate', 'A quiet rim, a speckled glaze. Stacks by the dozen and survives the dishwasher.'),
  ('Candle house', 3600, 55, 'candle', 'A small house with its light on. Put it in the window on the way to bed.');

INSERT INTO orders (product_id, product, customer, quantity, total_cents, created_at) VALUES
  (7, 'Supper plate', 'Noor', 6, 16800, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-3 hours')),
  (2, 'Tall vase', 'Tomasz', 1, 6800, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-72 minutes')),
  (1, 'Morning cup', 'Ada', 2, 4800, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-18 minutes'));

INSERT INTO files (kind, name, stored_as, content_type, size) VALUES
  ('document', 'Care guide.txt', 'care-guide.txt', 'text/plain', 588);
