// Routes, errors, requests, and one request opened.

import { arrange, keep, write } from "./lists.js";
import { isTraced, walk } from "./walk.js";
import { $, bytes, lasting, make, milliseconds, rate, when } from "./words.js";

const MOST_REQUESTS = 200;
const MOST_TRACED = 50;
const MOST_ERRORS = 30;

const ROUTES = {
  key: (row) => row.route,
  begin: (row) => {
    const cells = [1, 2, 3, 4].map(() => make("td"));
    return { element: make("tr", {}, make("td", { class: "path", title: row.route }, row.route), ...cells), update: (now) => say(cells, now) };
  },
  none: () => make("tr", {}, make("td", { colspan: 5, class: "none" }, "no request in the last minute")),
};

function say([requests, failed, p50, p95], row) {
  write(requests, row.requests);
  write(failed, row.failed, row.failed ? "s5" : "");
  write(p50, milliseconds(row.p50));
  write(p95, milliseconds(row.p95));
}

export function routes(rows) {
  keep($("routes"), rows, ROUTES);
}

const failures = new Map();
const noFailure = make("p", { class: "none" }, "none");

/** Equal errors come as one, with a count; a count of 0 takes one away, which has become another. `isAll`: no other is left. */
export function errors(changed, isAll) {
  const come = changed.filter((error) => error.count), keys = new Set(come.map((error) => error.key));
  const leave = isAll ? [...failures.keys()].filter((key) => !keys.has(key)) : changed.filter((error) => !error.count).map((error) => error.key);
  const left = leave.map((key) => failures.get(key)).filter(Boolean);
  for (const key of leave) failures.delete(key);
  for (const error of come) {
    const was = left.find((one) => one.id === error.id);
    const part = failures.get(error.key) ?? was ?? failure();
    if (was?.element.open) part.element.open = true;
    part.update(error);
    // The last is the first that is shown; one that is being read stays where it is.
    if (!part.element.open && !part.element.contains(document.activeElement)) failures.delete(error.key);
    failures.set(error.key, part);
  }
  while (failures.size > MOST_ERRORS) failures.delete(failures.keys().next().value);
  arrange($("errors"), failures.size ? [...failures.values()].map((part) => part.element).reverse() : [noFailure]);
}

function failure() {
  let line = null;
  const head = make("summary"), since = make("p"), words = make("pre", { tabindex: 0 });
  const nothing = make("p", { class: "none" }, "the app wrote nothing about it");
  const button = make("button", { type: "button", onclick: () => detail(line) }, "The request");
  const part = { element: make("details", {}, head) };
  part.update = (error) => {
    const text = error.text.trimEnd(), times = error.count > 1 ? `${error.count} times` : "";
    part.id = error.id;
    line = error.request;
    write(head, [when(error.time), times, line ? `${line.status} ${line.method} ${line.uri}` : "", text.split("\n").at(-1)].filter(Boolean).join("  "));
    write(since, `${times} since ${when(error.first)}; this is the last`, "none");
    write(words, text);
    arrange(part.element, [head, ...(times ? [since] : []), text ? words : nothing, ...(line ? [button] : [])]);
  };
  return part;
}

let kept = [];
let needle = "";

const REQUESTS = {
  key: (line) => `${line.n} ${line.id}`,
  begin: (line) => ({ element: row(line) }),
  none: () => make("tr", {}, make("td", { colspan: 7, class: "none" }, "none yet")),
};

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
  needle = text.toLowerCase();
  list();
}

function list() {
  keep($("requests"), kept.filter((line) => !needle || text(line).includes(needle)).reverse(), REQUESTS);
}

function text(line) {
  return [line.status, line.method, line.uri, line.id, line.client, line.host, line.worker, line.agent].join(" ").toLowerCase();
}

function row(line) {
  const button = make("button", { type: "button", onclick: () => detail(line) }, when(line.time));
  return make("tr", {}, make("td", {}, button),
    make("td", { class: `s${Math.floor(line.status / 100)}` }, status(line)), make("td", {}, line.method),
    make("td", { class: "path", title: line.uri }, line.uri, isTraced(line) ? make("small", {}, " traced") : null),
    make("td", {}, line.seconds ? milliseconds(line.seconds * 1000) : "< 1 ms"),
    make("td", {}, line.endpoint), make("td", {}, line.client));
}

/** The status, and a word where it is not the status of an answer: the client left before one began. */
function status(line) {
  return line.outcome === "left" ? `${line.status} client left` : line.outcome === "maintenance" ? `${line.status} maintenance` : line.status;
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
  $("detail-title").textContent = `${status(line)} ${line.method} ${line.uri}`;
  $("detail-body").replaceChildren(...PARTS.map((part) => part(line)));
  $("detail").showModal();
}

function waterfall(line) {
  const queue = took(line.queue_us), app = took(line.app_us);
  const total = line.seconds * 1000;
  const last = (value) => Number(String(value ?? "").split(", ").at(-1)) * 1000;
  const steps = [
    ["whole request", 0, total],
    ["gateway to the app", 0, line.upstream ? last(line.response_seconds) : NaN],
    ["waiting for a worker", 0, queue],
    ["the app", queue || 0, app],
  ].filter(([, , time]) => Number.isFinite(time));
  const longest = Math.max(...steps.map(([, start, time]) => start + time), 0.001);
  return make("div", { class: "fall" }, ...steps.flatMap(([name, start, time]) => {
    const bar = make("i");
    bar.style.left = `${(start / longest) * 100}%`;
    bar.style.width = `${(time / longest) * 100}%`;
    return [make("span", {}, name), make("span", { class: "bar" }, bar), make("span", {}, milliseconds(time))];
  }));
}

/** Milliseconds of what a worker told in microseconds; NaN where it told nothing about this request. */
function took(microseconds) {
  return microseconds === null ? NaN : microseconds / 1000;
}

const SIZES = ["bytes_in", "bytes_out"];

function fields(line) {
  const names = Object.keys(line).filter((name) => name !== "n" && line[name] !== "" && line[name] !== null);
  return make("dl", { class: "fields" }, ...names.flatMap((name) => [
    make("dt", {}, name),
    make("dd", {}, SIZES.includes(name) ? `${line[name]} (${bytes(line[name])})` : line[name]),
  ]));
}

const SLOW = {
  key: (one) => one.id,
  begin: () => {
    const head = make("summary"), stack = make("pre", { tabindex: 0 });
    return {
      element: make("details", {}, head, stack),
      update: (one) => {
        write(head, `${one.method} ${one.path}${one.endpoint ? ` (${one.endpoint})` : ""}, for ${lasting(one.age_seconds)}, worker ${one.pid}`);
        write(stack, one.stack.map((frame) => `${frame.file}:${frame.line} ${frame.name}\n    ${frame.text}`).join("\n"));
      },
    };
  },
};

/** Requests that are still running and take long, each with where its code is. */
export function slow(found) {
  $("slow").hidden = !found.length;
  keep($("slow-list"), found, SLOW);
}

const NOW = {
  key: ([name]) => name,
  begin: ([name, , , title]) => {
    const said = make("dd"), element = make("div", { title }, make("dt", {}, name), said);
    return {
      element,
      update: ([, value, bad]) => {
        write(said, value);
        element.className = bad ? "bad" : "";
      },
    };
  },
};

function banned(bans) {
  const would = bans?.is_dry_run ? "would be refused" : "are refused";
  return bans ? [["banned", bans.banned, bans.banned > 0, `clients that ${would} everything for a while: portico limits`]] : [];
}

export function now(numbers, site) {
  const failed = numbers.classes[5], asked = numbers.asked;
  const rows = [
    ["requests/s", rate(numbers.rate)],
    ["p50", milliseconds(numbers.p50)],
    ["p95", milliseconds(numbers.p95)],
    ["p99", milliseconds(numbers.p99)],
    ["failed/s", rate(failed), failed > 0],
    ["refused/s", rate(numbers.classes[4])],
    ...banned(site.bans),
    ["left/s", rate(numbers.classes[6]), false, "clients that left before their answer began"],
    ["from the cache", asked ? `${Math.round((numbers.hits / asked) * 100)} %` : "–", false, "of the routes that the gateway caches"],
    ["waiting", site.queue.waiting, site.queue.waiting > 0],
    ["queue p95", milliseconds(numbers.queue_p95)],
    ["sent/s", bytes(numbers.out)],
  ];
  keep($("now"), rows, NOW);
}
