// Routes, errors, requests, and one request opened.

import { isTraced, walk } from "./walk.js";
import { $, bytes, lasting, make, milliseconds, rate, when, worker } from "./words.js";

const MOST_REQUESTS = 200;
const MOST_TRACED = 50;
const MOST_ERRORS = 30;

export function routes(rows) {
  $("routes").replaceChildren(...rows.map((row) => make("tr", {},
    make("td", { class: "path", title: row.route }, row.route),
    make("td", {}, row.requests), make("td", { class: row.failed ? "s5" : "" }, row.failed),
    make("td", {}, milliseconds(row.p50)), make("td", {}, milliseconds(row.p95)))));
  if (!rows.length) $("routes").append(make("tr", {}, make("td", { colspan: 5, class: "none" }, "no request in the last minute")));
}

const errorsById = new Map();

export function errors(changed) {
  for (const error of changed) {
    const open = errorsById.get(error.id)?.element.open ?? false;
    errorsById.delete(error.id);
    errorsById.set(error.id, { error, element: errorElement(error, open) });
  }
  while (errorsById.size > MOST_ERRORS) errorsById.delete(errorsById.keys().next().value);
  if (!errorsById.size) $("errors").replaceChildren(make("p", { class: "none" }, "none"));
  else if (changed.length) $("errors").replaceChildren(...[...errorsById.values()].reverse().map(({ element }) => element));
}

function errorElement(error, open) {
  const line = error.request, text = error.text.trimEnd();
  const last = text.split("\n").at(-1) ?? "";
  const head = [when(error.time), line ? `${line.status} ${line.method} ${line.uri}` : "", last].filter(Boolean).join("  ");
  return make("details", { open },
    make("summary", {}, head),
    text ? make("pre", { tabindex: 0 }, text) : make("p", { class: "none" }, "the app wrote nothing about it"),
    line ? make("button", { type: "button", onclick: () => detail(line) }, "The request") : null);
}

let kept = [];
let shown = "";
let wanted = "";

export function requests(added) {
  const all = [...kept, ...added];
  const stay = new Set([...all.filter(isTraced).slice(-MOST_TRACED), ...all.filter((line) => !isTraced(line)).slice(-MOST_REQUESTS)]);
  kept = all.filter((line) => stay.has(line));
  if (added.length) list();
}

export function clearRequests() {
  kept = [];
}

export function filter(text) {
  wanted = text.toLowerCase();
  list();
}

function list() {
  const rows = kept.filter((line) => !wanted || text(line).includes(wanted)).reverse();
  const key = `${wanted} ${rows.map((line) => line.n).join(" ")}`;
  if (key === shown) return;
  shown = key;
  const focused = document.activeElement?.closest?.("#requests tr")?.dataset.n;
  $("requests").replaceChildren(...rows.map(row));
  if (focused) $("requests").querySelector(`tr[data-n="${focused}"] button`)?.focus({ preventScroll: true });
  if (!rows.length) $("requests").append(make("tr", {}, make("td", { colspan: 7, class: "none" }, "none yet")));
}

function text(line) {
  return [line.status, line.method, line.uri, line.id, line.client, line.host, line.worker, line.agent].join(" ").toLowerCase();
}

function row(line) {
  const button = make("button", { type: "button", onclick: () => detail(line) }, when(line.time));
  return make("tr", { "data-n": line.n }, make("td", {}, button),
    make("td", { class: `s${Math.floor(line.status / 100)}` }, line.status), make("td", {}, line.method),
    make("td", { class: "path", title: line.uri }, line.uri, isTraced(line) ? make("small", {}, " traced") : null),
    make("td", {}, line.seconds ? milliseconds(line.seconds * 1000) : "< 1 ms"),
    make("td", {}, worker(line).route ?? ""), make("td", {}, line.client));
}

/** Move the focus among the requests: 1 is down. */
export function step(by) {
  const buttons = [...$("requests").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  buttons[Math.max(0, Math.min(buttons.length - 1, at + by))]?.focus();
}

/** What is shown of a request, one part under the other. */
const PARTS = [walk, waterfall, fields];

export function detail(line) {
  $("detail-title").textContent = `${line.status} ${line.method} ${line.uri}`;
  $("detail-body").replaceChildren(...PARTS.map((part) => part(line)));
  $("detail").showModal();
}

function waterfall(line) {
  const { queue, app } = worker(line);
  const total = line.seconds * 1000;
  const last = (value) => Number(String(value ?? "").split(", ").at(-1)) * 1000;
  const fromCache = !line.upstream;
  const steps = [
    ["whole request", 0, total],
    ["nginx to the app", 0, fromCache ? NaN : last(line.response_seconds)],
    ["waiting for a worker", 0, fromCache ? NaN : queue / 1000],
    ["the app", fromCache ? 0 : queue / 1000, fromCache ? NaN : app / 1000],
  ].filter(([, , took]) => Number.isFinite(took));
  const longest = Math.max(...steps.map(([, start, took]) => start + took), 0.001);
  return make("div", { class: "fall" }, ...steps.flatMap(([name, start, took]) => {
    const bar = make("i");
    bar.style.left = `${(start / longest) * 100}%`;
    bar.style.width = `${(took / longest) * 100}%`;
    return [make("span", {}, name), make("span", { class: "bar" }, bar), make("span", {}, milliseconds(took))];
  }));
}

const SIZES = ["bytes_in", "bytes_out"];

function fields(line) {
  const names = Object.keys(line).filter((name) => name !== "n" && line[name] !== "");
  return make("dl", { class: "fields" }, ...names.flatMap((name) => [
    make("dt", {}, name),
    make("dd", {}, SIZES.includes(name) ? `${line[name]} (${bytes(line[name])})` : line[name]),
  ]));
}

/** Requests that are still running and take long, each with where its code is. */
export function slow(found) {
  $("slow").hidden = !found.length;
  const open = new Set([...$("slow-list").querySelectorAll("details[open]")].map((one) => one.dataset.id));
  $("slow-list").replaceChildren(...found.map((one) => make("details", { open: open.has(one.id), "data-id": one.id },
    make("summary", {}, `${one.method} ${one.path}`, one.endpoint ? ` (${one.endpoint})` : "", `, for ${lasting(one.age_seconds)}, worker ${one.pid}`),
    make("pre", { tabindex: 0 }, one.stack.map((frame) => `${frame.file}:${frame.line} ${frame.name}\n    ${frame.text}`).join("\n")))));
}

export function now(numbers, house) {
  const failed = numbers.classes[5], asked = numbers.asked;
  const rows = [
    ["requests/s", rate(numbers.rate)],
    ["p50", milliseconds(numbers.p50)],
    ["p95", milliseconds(numbers.p95)],
    ["p99", milliseconds(numbers.p99)],
    ["failed/s", rate(failed), failed > 0],
    ["refused/s", rate(numbers.classes[4])],
    ["from the cache", asked ? `${Math.round((numbers.hits / asked) * 100)} %` : "–"],
    ["waiting", house.queue.waiting, house.queue.waiting > 0],
    ["queue p95", milliseconds(numbers.queue_p95)],
    ["sent/s", bytes(numbers.out)],
  ];
  $("now").replaceChildren(...rows.map(([name, value, bad]) =>
    make("div", { class: bad ? "bad" : "" }, make("dt", {}, name), make("dd", {}, value))));
}
