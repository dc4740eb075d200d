// A traced request, one step after the other: where it is, what it carries, which line is responsible.

import { quiz } from "./quiz.js";
import { $, make } from "./words.js";

const PLACES = ["client", "gateway", "link", "worker", "app"];
const TRACED = "portico-trace";

let go = null;

export function isTraced(line) {
  return line.agent === TRACED;
}

/** The part of an opened request; it fills itself when the trace is there. */
export function walk(line) {
  go = null;
  const box = make("div", { class: "walk" });
  if (!isTraced(line)) {
    box.append(make("p", { class: "none" }, "To walk through such a request: ", make("code", {}, `portico trace '${line.uri}'`)));
    return box;
  }
  fetch(`trace?id=${encodeURIComponent(line.id)}`)
    .then((answer) => (answer.ok ? answer.json() : null))
    .then((trace) => (trace ? build(box, trace) : box.replaceChildren(make("p", { class: "none" }, "its trace is no longer kept"))))
    .catch(() => box.replaceChildren(make("p", { class: "none" }, "its trace could not be fetched")));
  return box;
}

function build(box, trace) {
  let at = 0;
  const turn = trace.rows.findIndex((row) => row.message === "response");
  const back = make("button", { type: "button", onclick: () => show(-1), "aria-keyshortcuts": "ArrowLeft" }, "◂ Back");
  const forth = make("button", { type: "button", onclick: () => show(1), "aria-keyshortcuts": "ArrowRight" }, "Forward ▸");
  const where = make("span", { class: "where" });
  const places = new Map(PLACES.map((name) => [name, make("li", {}, name)]));
  const said = make("div", { "aria-live": "polite" });
  const carried = make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "What the request carries" });

  function show(by) {
    at = Math.max(0, Math.min(trace.rows.length - 1, at + by));
    const row = trace.rows[at], isBack = turn >= 0 && at >= turn;
    where.textContent = `step ${at + 1} of ${trace.rows.length}`;
    back.disabled = at === 0;
    forth.disabled = at === trace.rows.length - 1;
    for (const [name, place] of places) {
      if (name === row.actor) place.setAttribute("aria-current", "step");
      else place.removeAttribute("aria-current");
    }
    said.replaceChildren(...described(row));
    carried.replaceChildren(isBack ? table(trace.response, ["app", "worker", "client"], row.actor)
      : table(trace.request, ["client", "gateway", "app"], row.actor));
  }

  box.replaceChildren(
    make("p", { class: "steps" }, back, forth, where),
    make("ol", { class: "places" }, ...places.values()),
    said, carried,
    make("ul", { class: "moments" }, ...trace.moments.map((one) =>
      make("li", {}, one.text, one.see ? make("code", {}, one.see) : null))),
    quiz(trace.id));
  go = show;
  show(0);
}

function described(row) {
  const times = [row.at_us === null ? "" : `at ${row.at_us.toLocaleString("en")} µs`,
    row.took_us === null ? "" : `takes ${row.took_us.toLocaleString("en")} µs`].filter(Boolean).join(", ");
  const way = row.message && row.source !== row.destination ? `${row.source} → ${row.destination}` : "";
  const parts = [make("p", {}, make("b", {}, row.action), " ", make("small", {}, [way, times].filter(Boolean).join("  ")))];
  if (row.note) parts.push(make("p", { class: "none" }, row.note));
  if (row.place) {
    parts.push(make("p", { class: "line" }, make("code", {}, row.text || ""), " ", make("small", {}, row.place)));
    if (row.why) parts.push(make("p", { class: "none" }, row.why, row.cause ? ` (${row.cause})` : ""));
  }
  return parts;
}

const HEADS = { client: "the client", gateway: "the gateway passed", app: "the app", worker: "the worker sent" };

function table(rows, columns, actor) {
  const lit = (name) => (name === actor ? "lit" : "");
  return make("table", {},
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "name"),
      ...columns.map((name) => make("th", { scope: "col", class: lit(name) }, HEADS[name])))),
    make("tbody", {}, ...rows.map((row) => make("tr", { class: row.changed ? "changed" : "" },
      make("th", { scope: "row" }, row.changed ? `${row.name} *` : row.name),
      ...columns.map((name) => make("td", { class: lit(name) }, row[name] ?? "–"))))));
}

$("detail").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || !go || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  go(by);
});
