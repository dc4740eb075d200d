// The picture: clients -> gateway -> releases -> workers, as they are, with the rate on each arrow.

import { bytes, draw, lasting, rate } from "./words.js";

const MOST_WORKERS = 8;
const WIDE = { width: 172, height: 50, right: 245, gap: 62 };
const NARROW = { width: 160, height: 50, right: 172, gap: 92 };

let shape = "";
let parts = new Map();

/** Draw anew when what runs has changed, else only write the numbers. */
export function show(container, status, now) {
  const nodes = describe(status, now);
  const narrow = container.clientWidth < 640;
  const key = JSON.stringify([narrow, nodes.map((node) => [node.id, node.from])]);
  if (key !== shape) {
    shape = key;
    build(container, nodes, narrow);
  }
  for (const node of nodes) update(parts.get(node.id), node);
  container.firstChild.setAttribute("aria-label", summary(nodes));
}

function describe(status, now) {
  const connections = `${status.connections} connection${status.connections === 1 ? "" : "s"}`;
  const nodes = [{ id: "clients", level: 0, title: "clients", note: connections, state: "" }];
  const gateway = status.gateway;
  const own = now.by_gateway > 0 ? `${rate(now.by_gateway)}/s itself, ` : "";
  nodes.push({
    id: "gateway", level: 1, from: "clients", rate: now.rate, title: `${gateway.name} ${gateway.status === "well" ? "" : gateway.status}`,
    note: `${own}${bytes(gateway.memory)}`, state: gateway.status === "well" ? "good" : "bad",
  });
  for (const release of status.releases) nodes.push(...ofRelease(release, status, now));
  for (const server of status.servers ?? []) {
    if (server.name === "app") continue;
    nodes.push({
      id: `server ${server.name}`, level: 2, from: "gateway", rate: now.upstreams[server.name] ?? 0, title: server.name,
      note: server.status, state: server.status === "in" ? "good" : "bad",
    });
  }
  return nodes;
}

function ofRelease(release, status, now) {
  const workers = release.workers.map((one) => ({ ...one, rate: now.workers[one.pid] ?? 0 }));
  const isLive = release.number === status.live;
  let total = workers.reduce((sum, one) => sum + one.rate, 0);
  if (total === 0 && isLive) total = now.upstreams.app ?? 0; // a server that says nothing about its workers
  const words = isLive ? "live" : status.canary?.number === release.number
    ? `canary, ${Math.round(status.canary.share * 100)} %` : release.status;
  const id = `release ${release.number}`;
  const state = isLive && release.status === "well" ? "good" : ["well", "standby"].includes(release.status) ? "" : "warn";
  const queue = isLive && status.queue.waiting ? `, ${status.queue.waiting} waiting` : "";
  const nodes = [{ id, level: 2, from: "gateway", rate: total, title: id, note: `${words}${queue}`, state }];
  for (const one of workers.slice(0, MOST_WORKERS)) {
    nodes.push({
      id: `worker ${one.pid}`, level: 3, from: id, rate: one.rate, title: `worker ${one.pid}`,
      note: `${bytes(one.memory)}, ${lasting(one.up_seconds)}`, state: "",
    });
  }
  const more = workers.slice(MOST_WORKERS);
  if (more.length) {
    const rest = more.reduce((sum, one) => sum + one.rate, 0);
    nodes.push({ id: `${id} more`, level: 3, from: id, rate: rest, title: `${more.length} more`, note: "workers", state: "" });
  }
  return nodes;
}

function build(container, nodes, narrow) {
  const { places, width, height } = narrow ? below(nodes) : beside(nodes);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const edges = draw("g"), boxes = draw("g"), rates = draw("g");
  parts = new Map();
  for (const node of nodes) {
    const at = places.get(node.id);
    const title = draw("text", { x: 12, y: 21 }), note = draw("text", { x: 12, y: 38, class: "small" });
    const box = draw("g", { transform: `translate(${at.x} ${at.y})` },
      draw("rect", { width: WIDE.width - (narrow ? 12 : 0), height: WIDE.height }), title, note);
    boxes.append(box);
    const part = { box, title, note };
    if (node.from) {
      const line = curve(places.get(node.from), at, narrow);
      part.edge = draw("path", { d: line.d });
      part.moves = draw("path", { d: line.d, class: "moves" });
      part.rate = draw("text", { x: line.x, y: line.y, class: "rate", "text-anchor": "middle" });
      edges.append(part.edge, part.moves);
      rates.append(part.rate);
    }
    parts.set(node.id, part);
  }
  svg.append(edges, boxes, rates);
  container.replaceChildren(svg);
}

/** Four columns. */
function beside(nodes) {
  const levels = byLevel(nodes);
  const most = Math.max(...levels.map((level) => level.length));
  const height = Math.max(most, 2) * WIDE.gap + 4;
  const places = new Map();
  levels.forEach((level, column) => level.forEach((node, row) => {
    const top = (height - level.length * WIDE.gap) / 2;
    places.set(node.id, { x: 2 + column * WIDE.right, y: top + row * WIDE.gap + 6 });
  }));
  return { places, width: 3 * WIDE.right + WIDE.width + 4, height };
}

/** One under the other, two in a row: for a phone. */
function below(nodes) {
  const places = new Map();
  let y = 4;
  for (const level of byLevel(nodes)) {
    level.forEach((node, index) => {
      const row = Math.floor(index / 2), alone = index % 2 === 0 && index === level.length - 1;
      places.set(node.id, { x: alone ? NARROW.right / 2 + 2 : 2 + (index % 2) * NARROW.right, y: y + row * (NARROW.height + 28) });
    });
    y += (Math.ceil(level.length / 2) - 1) * (NARROW.height + 28) + NARROW.gap;
  }
  return { places, width: NARROW.right + NARROW.width + 4, height: y - NARROW.gap + NARROW.height + 6 };
}

function byLevel(nodes) {
  return [0, 1, 2, 3].map((level) => nodes.filter((node) => node.level === level)).filter((level) => level.length);
}

function curve(from, to, narrow) {
  if (narrow) {
    const [x1, y1, x2, y2] = [from.x + 80, from.y + NARROW.height, to.x + 80, to.y];
    const middle = (y1 + y2) / 2;
    return { d: `M${x1} ${y1} C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`, x: x2, y: y2 - 7 };
  }
  const [x1, y1, x2, y2] = [from.x + WIDE.width, from.y + 25, to.x, to.y + 25];
  const middle = (x1 + x2) / 2;
  return { d: `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, x: x2 - 30, y: y2 - 6 };
}

function update(part, node) {
  part.box.setAttribute("class", node.state);
  part.title.textContent = cut(node.title);
  part.note.textContent = cut(node.note);
  if (!part.rate) return;
  part.rate.textContent = `${rate(node.rate)}/s`;
  const width = node.rate > 0 ? Math.min(7, 1.5 + Math.log10(1 + node.rate)) : 1;
  part.edge.style.strokeWidth = `${width}px`;
  part.moves.style.strokeWidth = `${Math.max(1, width - 1)}px`;
  part.moves.style.display = node.rate > 0 ? "" : "none";
  part.moves.style.animationDuration = `${Math.max(0.25, 1.2 - Math.log10(1 + node.rate) / 4)}s`;
}

function cut(text) {
  return text.length > 25 ? `${text.slice(0, 24)}…` : text;
}

function summary(nodes) {
  return nodes.filter((node) => node.from)
    .map((node) => `${node.from} to ${node.title.trim()}: ${rate(node.rate)} requests a second, ${node.note}`).join("; ");
}
