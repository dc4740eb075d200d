// The last ten minutes by the second: what came, how long it took, what waited, what it used. Marks are what happened meanwhile.

import { bytes, clock, draw, make, milliseconds, rate } from "./words.js";

const MOST_SECONDS = 600, LEAST_SECONDS = 120;
const WIDTH = 600, HEIGHT = 100;

const CHARTS = [
  {
    title: "Requests/s", unit: rate, stacked: true,
    series: [
      ["2xx", "var(--ok-fill)", (s) => s.classes[2] + s.classes[1]],
      ["3xx", "var(--moved-fill)", (s) => s.classes[3]],
      ["4xx", "var(--warn-fill)", (s) => s.classes[4]],
      ["clients left", "var(--left-fill)", (s) => s.classes[6]],
      ["maintenance", "var(--p95)", (s) => s.classes[7]],
      ["5xx", "var(--bad-fill)", (s) => s.classes[5] + s.classes[0]],
    ],
  },
  {
    title: "Time to answer", unit: milliseconds,
    series: [["p99", "var(--p99)", (s) => s.p99], ["p95", "var(--p95)", (s) => s.p95], ["p50", "var(--p50)", (s) => s.p50]],
  },
  {
    title: "With the app", unit: rate,
    series: [["waiting", "var(--p99)", (s) => s.waiting], ["in hand", "var(--p50)", (s) => s.with_app]],
  },
  {
    title: "Memory", unit: bytes, stacked: true,
    series: [
      ["app", "var(--ok-fill)", (s) => s.memory[2]],
      ["gateway", "var(--moved-fill)", (s) => s.memory[1]],
      ["portico", "var(--warn-fill)", (s) => s.memory[0]],
    ],
  },
];

const drawn = [];

export function begin(container) {
  for (const chart of CHARTS) {
    const keys = chart.series.map(([name, colour]) => {
      const key = make("span", { class: "key" }, name);
      key.style.setProperty("--key", colour);
      return key;
    });
    const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    const most = make("span", { class: "most" }), from = make("span"), to = make("span", {}, "now");
    container.append(make("figure", {},
      make("figcaption", {}, make("b", {}, chart.title), ...keys),
      make("div", { class: "plot" }, svg, most), make("div", { class: "axis" }, from, to)));
    const one = { chart, svg, most, keys, from, to };
    svg.addEventListener("pointermove", (event) => point(event, svg));
    svg.addEventListener("pointerleave", () => point(null, svg));
    drawn.push(one);
  }
}

let pointed = null;
let last = null;

function point(event, svg) {
  pointed = event === null ? null : event.offsetX / svg.clientWidth;
  if (last) show(...last);
}

export function show(history, marks) {
  last = [history, marks];
  if (!history.length) return;
  const end = history.at(-1).time;
  const span = Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, end - history[0].time));
  for (const one of drawn) plot(one, history, marks, end, span);
}

function plot({ chart, svg, most, keys, from, to }, history, marks, end, span) {
  const x = (time) => WIDTH * (1 - (end - time) / span);
  const rows = history.filter((second) => end - second.time <= span);
  const lines = chart.series.map(([, , value]) => rows.map((second) => value(second) ?? null));
  const sums = lines.map((values) => values.slice());
  if (chart.stacked) {
    for (let index = 1; index < sums.length; index++) sums[index] = sums[index].map((value, at) => value + sums[index - 1][at]);
  }
  const top = Math.max(...sums.flat().map((value) => value ?? 0), 1) * 1.05;
  const y = (value) => HEIGHT - (value / top) * HEIGHT;
  const shapes = sums.map((values, index) => path(rows, values, chart, index ? sums[index - 1] : null, x, y, chart.series[index][1]));
  const verticals = marks.filter((mark) => end - mark.time < span)
    .map((mark) => draw("line", { x1: x(mark.time), x2: x(mark.time), y1: 0, y2: HEIGHT, class: mark.level },
      draw("title", {}, `${clock(mark.time)} ${mark.text}`)));
  const at = pointed === null ? rows.length - 1 : nearest(rows, end - span + pointed * span);
  if (pointed !== null) {
    const time = x(rows[at].time);
    verticals.push(draw("line", { x1: time, x2: time, y1: 0, y2: HEIGHT, class: "cursor" }));
  }
  svg.replaceChildren(...shapes, ...verticals);
  most.textContent = chart.unit(top);
  from.textContent = clock(end - span);
  to.textContent = pointed === null ? "now" : clock(rows[at].time);
  const words = chart.series.map(([name], index) => `${name} ${chart.unit(lines[index][at] ?? (chart.unit === milliseconds ? null : 0))}`);
  words.forEach((text, index) => { keys[index].textContent = text; });
  svg.setAttribute("aria-label", `${chart.title}, at ${clock(rows[at].time)}: ${words.join(", ")}`);
}

function path(rows, values, chart, under, x, y, colour) {
  if (!chart.stacked) {
    let d = "";
    rows.forEach((second, index) => {
      if (values[index] === null) return;
      const joined = index && values[index - 1] !== null;
      d += `${joined ? "L" : "M"}${x(second.time).toFixed(1)} ${y(values[index]).toFixed(1)}`;
      if (!joined && (values[index + 1] ?? null) === null) d += "h1";
    });
    const made = draw("path", { d });
    made.style.stroke = colour;
    return made;
  }
  const upper = rows.map((second, index) => `${x(second.time).toFixed(1)} ${y(values[index]).toFixed(1)}`);
  const lower = rows.map((second, index) => `${x(second.time).toFixed(1)} ${y(under ? under[index] : 0).toFixed(1)}`).reverse();
  const made = draw("path", { class: "fill", d: `M${upper.join("L")}L${lower.join("L")}Z` });
  made.style.fill = colour;
  return made;
}

function nearest(rows, time) {
  let best = 0;
  rows.forEach((second, index) => {
    if (Math.abs(second.time - time) < Math.abs(rows[best].time - time)) best = index;
  });
  return best;
}
