// One WebSocket, one conversation. A lost connection is tried again until somebody says bye.
const chat = document.querySelector(".chat");
const messages = document.querySelector("#messages");
const state = document.querySelector("#state");
const form = document.querySelector("#say");
const text = document.querySelector("#text");
const send = form.querySelector("button");
let socket;

connect();
form.addEventListener("submit", (event) => {
  event.preventDefault();
  say(text.value);
  text.value = "";
  text.focus();
});
chat.querySelectorAll(".chip").forEach((chip) => chip.addEventListener("click", () => say(chip.textContent)));

function connect() {
  const url = new URL(chat.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.onopen = () => show("live");
  socket.onmessage = (event) => add("theirs", event.data);
  socket.onclose = (event) => {
    show(event.reason || "reconnecting");
    if (!event.reason) setTimeout(connect, 1000);
  };
}

function say(words) {
  if (socket.readyState !== WebSocket.OPEN) return;
  add("ours", words);
  socket.send(words);
}

function add(side, words) {
  const item = document.createElement("li");
  item.className = side;
  item.textContent = words;
  messages.append(item);
  messages.scrollTop = messages.scrollHeight;
}

function show(word) {
  state.textContent = word;
  state.classList.toggle("on", word === "live");
  send.disabled = word !== "live";
}
