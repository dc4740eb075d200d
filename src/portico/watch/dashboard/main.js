// One stream of events, drawn once a second.

import * as charts from "./charts.js";
import * as flow from "./flow.js";
import { keep } from "./lists.js";
import * as tables from "./tables.js";
import { $, clock, lasting, make } from "./words.js";

const HISTORY_SECONDS = 600;
const MOST_MARKS = 100;
const SILENT_MS = 5000;
const LONGEST_PRESS_MS = 2000;

let history = [];
let marks = [];
let latest = null;
let held = false;
let heardAt = 0;

function hear(item) {
  heardAt = performance.now();
  if (item.history) {
    history = item.history;
    marks = item.marks;
    tables.clearRequests();
  } else {
    if (item.second) history = [...history, item.second].slice(-HISTORY_SECONDS);
    marks = [...marks, ...item.marks].slice(-MOST_MARKS);
    announce(item.marks);
  }
  latest = item;
  tables.errors(item.errors, Boolean(item.history));
  if (!held) show(item);
  else waiting.push(...item.requests);
}

let waiting = [];

function show(item) {
  const status = item.status;
  document.title = `${status.name}: ${Math.round(item.now.rate)} requests/s`;
  $("name").textContent = status.name;
  $("app").textContent = [status.app, ...status.urls, ...Object.entries(status.versions).map((pair) => pair.join(" "))].join("  ");
  const closed = status.maintenance ? ", closed for maintenance" : status.pause ? ", paused" : "";
  state(`${status.phase}${closed}, for ${lasting(status.up_seconds)}`, Boolean(closed));
  $("sampling").hidden = !item.now.estimated;
  $("unread").hidden = !item.unread;
  $("unread").textContent = item.unread;
  tables.now(item.now, status);
  tables.slow(status.slow ?? []);
  flow.show($("flow"), status, item.now);
  charts.show(history, marks);
  keep($("marks"), marks.slice(-8).reverse(), MARKS);
  tables.routes(item.routes);
  tables.requests(item.requests);
}

const MARKS = {
  key: (mark) => `${mark.time} ${mark.text}`,
  begin: (mark) => ({
    element: make("li", { class: mark.level }, make("time", {}, clock(mark.time)), " ", make("b", {}, mark.text)),
  }),
};

function state(text, isWaiting) {
  const place = $("state");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("waiting", isWaiting);
}

function announce(marks) {
  if (marks.length) $("said").textContent = marks.map((mark) => mark.text).join("; ");
}

let pressedAt = -Infinity;
const unheard = [];

/** Nothing moves under a finger: what comes between a press and its click is drawn after it. */
function take(item) {
  unheard.push(item);
  if (performance.now() - pressedAt > LONGEST_PRESS_MS) hearAll();
}

function hearAll() {
  for (const item of unheard.splice(0)) hear(item);
}

function press() {
  pressedAt = performance.now();
}

function release() {
  pressedAt = -Infinity;
  setTimeout(hearAll); // after the click
}

function connect() {
  const events = new EventSource("events");
  events.addEventListener("message", (event) => take(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    state("no connection; trying again", true);
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  });
}

function hold() {
  held = !held;
  document.body.classList.toggle("held", held);
  $("pause").setAttribute("aria-pressed", String(held));
  $("pause").textContent = held ? "Go on" : "Hold";
  if (!held && latest) show({ ...latest, requests: waiting.splice(0) });
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
}

const KEYS = {
  p: hold,
  t: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  "/": () => $("filter").focus(),
  j: () => tables.step(1),
  k: () => tables.step(-1),
  "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target instanceof HTMLInputElement) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const does = KEYS[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
});

document.addEventListener("pointerdown", press, true);
document.addEventListener("pointerup", release, true);
document.addEventListener("pointercancel", release, true);
$("pause").addEventListener("click", hold);
$("theme").addEventListener("click", KEYS.t);
$("help").addEventListener("click", KEYS["?"]);
$("filter").addEventListener("input", (event) => tables.filter(event.target.value));
setInterval(() => {
  if (latest && performance.now() - heardAt > SILENT_MS) state(`nothing heard since ${clock(latest.time)}`, true);
}, 1000);

const dark = matchMedia("(prefers-color-scheme: dark)");
theme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
charts.begin($("charts"));
connect();
