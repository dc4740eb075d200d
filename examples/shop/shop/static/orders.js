// New orders arrive as server-sent events; the browser reconnects by itself and says where it stopped.
const list = document.querySelector("#orders");
const blank = document.querySelector("#order").content;
const state = document.querySelector("#state");
const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR", trailingZeroDisplay: "stripIfInteger" });

const events = new EventSource(list.dataset.events);
events.onopen = () => show("live");
events.onerror = () => show("reconnecting");
events.addEventListener("order", (event) => add(JSON.parse(event.data)));

list.querySelectorAll("time").forEach(showTime);

function add(order) {
  const row = blank.cloneNode(true);
  row.querySelector(".who").textContent = order.customer;
  row.querySelector(".what").textContent = `${order.quantity} × ${order.product}`;
  row.querySelector(".price").textContent = euros.format(order.total_cents / 100);
  row.querySelector("time").dateTime = order.created_at;
  showTime(row.querySelector("time"));
  list.prepend(row);
  count(order);
}

function count(order) {
  const [orders, pieces, cents] = ["#count", "#pieces", "#cents"].map((id) => document.querySelector(id));
  orders.textContent = Number(orders.textContent) + 1;
  pieces.textContent = Number(pieces.textContent) + order.quantity;
  cents.dataset.cents = Number(cents.dataset.cents) + order.total_cents;
  cents.textContent = euros.format(cents.dataset.cents / 100);
}

function showTime(time) {
  time.textContent = new Date(time.dateTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function show(word) {
  state.textContent = word;
  state.classList.toggle("on", word === "live");
}
