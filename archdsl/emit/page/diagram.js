// The diagram: boxes that are drawn when the one around them is opened.
const tree = document.getElementById("tree");
const drawn = new Map(); // number of a box -> its element
const LEAST = 40; // boxes that are shown at first, about a screen of them
const MOST = 3000; // above that browsers get slow: boxes are opened one by one

function drawBox(box) {
  const op = isOp(box);
  const kind = box.k === "shape" ? "shape-op" : box.k;
  const element = make("div", `box ${op ? "op " : ""}${kind}`);
  const head = make("div", "head");
  if (box.idle) element.classList.add("unused");
  if (box.d) element.classList.add(box.d);
  if (op && box.k === "merge") {
    element.classList.toggle("named", !box.y);
    head.append(make("b", "", box.y || text(box.w).split(" ")[0]));
  } else {
    if (box.f !== undefined) head.append(make("span", "twist", "▸"));
    label(head, box);
  }
  if (box.x > 1) {
    element.classList.add("several");
    head.append(make("span", "mark times", `× ${whole(box.x)}`));
  }
  if (box.d && box.d !== box.parent.mode) head.append(make("span", "mark", box.d === "eval" ? "evaluation only" : `${box.d} only`));
  if (box.u) head.append(make("span", "mark", "never runs"));
  element.append(head);
  element.id = `box-${box.id}`;
  element.tabIndex = -1;
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-level", box.level);
  element.setAttribute("aria-selected", "false");
  element.setAttribute("aria-label", aloud(box));
  if (box.f !== undefined) element.setAttribute("aria-expanded", "false");
  drawn.set(box.id, element);
  return element;
}

function label(head, box) {
  const words = what(box);
  const telling = !FRAMES.includes(box.k) && /^[^~{\d]/.test(box.n) && words.split(" ")[0] !== box.n;
  if (box.k === "side") head.append(make("b", "", `output ${box.n}`));
  else if (box.k === "loop") head.append(make("b", "", "repeated"));
  else if (telling) head.append(make("b", "", box.n), make("i", "", words));
  else if (box.f !== undefined || box.k === "block") head.append(make("i", "", /^~/.test(box.n) ? "" : box.n), make("b", "", words));
  else head.append(make("span", "", words));
}

function aloud(box) {
  const parts = [title(box), what(box)];
  if (box.total > 1) parts.push(`${box.total} times`);
  if (box.o !== undefined) parts.push(`output ${shape(box.o)}`);
  return parts.filter(Boolean).join(", ");
}

// The boxes of a flow, the wires between them and the arcs beside. where: `inside` a box, whose own wire tells what
// leaves it; `aside` of another, or a `lane` of its own.
function drawFlow(flow, children, entering, outputs, where) {
  const grid = make("div", `flow ${where}`);
  const arcs = flow.a || [];
  const starts = new Set();
  const last = flow.i.length;
  let before = entering;
  grid.style.setProperty("--tracks", 1 + Math.max(-1, ...arcs.map((arc) => arc[2])));
  grid.style.setProperty("--rows", `repeat(${2 * last}, auto) minmax(16px, 1fr)`);
  let feeds = [];
  for (let k = 0; k <= last; k += 1) {
    const item = flow.i[k];
    const wire = make("div", "wire");
    const box = typeof flow.i[k - 1] === "number" ? children[flow.i[k - 1]] : null;
    wire.style.gridRow = 2 * k + 1;
    if (k === 0 || k === last) wire.classList.add("end");
    const telling = k < last || where === "lane";
    if ((flow.g || []).includes(k)) wire.classList.add("gap");
    else if (typeof item === "number") wire.classList.add("into");
    if (box && box.o !== undefined) {
      if (telling && box.o !== before && !wire.classList.contains("gap")) {
        wire.classList.add("told");
        wire.append(make("span", "", typeset(shape(box.o))));
        starts.add(k - 1);
      }
      before = box.o;
    }
    grid.append(wire);
    if (k === last) break;
    if (item.i) {
      feeds.push(drawFlow(item, children, undefined, outputs, "aside"));
      continue;
    }
    const cell = drawItem(item, children, before, outputs, where);
    for (const feed of feeds) beside(cell, "feeds", feed);
    feeds = [];
    for (const [place, side] of flow.s || []) {
      if (place === k) beside(cell, "sides", drawFlow(side, children, before, outputs, "aside"));
    }
    cell.style.gridRow = 2 * k + 2;
    grid.append(cell);
  }
  for (const arc of arcs) grid.append(drawArc(arc, flow, children, starts));
  return grid;
}

function drawItem(item, children, entering, outputs, where) {
  if (Array.isArray(item)) {
    const branches = item.map((flow) => make("div", "branch", drawFlow(flow, children, entering, outputs, "lane")));
    return make("div", "item", make("div", "fork", ...branches));
  }
  const box = drawBox(children[item]);
  const name = outputs[item];
  const cell = make("div", "item", box);
  if (name === undefined || children[item].k === "side") return cell;
  const pill = make("span", "pill out", `output ${name}`);
  if (where === "aside") {
    cell.classList.add("ending");
    cell.append(pill);
  } else beside(cell, "sides", pill);
  return cell;
}

function beside(cell, which, content) {
  cell.classList.add("wide");
  const place = cell.querySelector(`:scope > .${which}`) || cell.appendChild(make("div", `beside ${which}`));
  place.append(make("div", "", content));
}

function drawArc([from, to, track], flow, children, starts) {
  const arc = make("div", "arc");
  const target = typeof flow.i[to] === "number" ? children[flow.i[to]] : null;
  const joins = target !== null && target.k === "merge";
  arc.classList.toggle("late", starts.has(from));
  arc.classList.toggle("joins", joins);
  arc.classList.toggle("named", joins && !target.y);
  arc.style.gridRow = `${2 * from + 3} / ${2 * to + (joins ? 3 : 2)}`;
  arc.style.gridColumn = `2 / ${4 + track}`;
  return arc;
}

function isOpen(box) {
  return drawn.has(box.id) && drawn.get(box.id).getAttribute("aria-expanded") === "true";
}

function openBox(box) {
  const element = drawn.get(box.id);
  if (box.f === undefined || isOpen(box)) return;
  element.setAttribute("aria-expanded", "true");
  element.querySelector(":scope > .head > .twist").textContent = "▾";
  const inside = drawFlow(data.flows[box.f], box.children, box.i && box.i[0], {}, "inside");
  inside.setAttribute("role", "group");
  element.append(inside);
}

function closeBox(box) {
  if (!isOpen(box)) return;
  const element = drawn.get(box.id);
  element.setAttribute("aria-expanded", "false");
  element.querySelector(":scope > .head > .twist").textContent = "▸";
  element.lastElementChild.remove();
  for (let id = box.id + 1; id < box.e; id += 1) drawn.delete(id);
}

// Opens what is around a box, so that it is on the page.
function reveal(box) {
  if (!box.parent || drawn.has(box.id)) return;
  reveal(box.parent);
  openBox(box.parent);
}

const closed = () => [...drawn.keys()].map((id) => boxes[id]).filter((box) => box.f !== undefined && !isOpen(box));

// Opens what is closed, if that isn't too much; whether it did.
function openLevel(found, limit) {
  const more = found.reduce((sum, box) => sum + box.children.length, 0);
  if (!found.length || drawn.size + more > limit) return false;
  found.forEach(openBox);
  return true;
}

function closeLevel() {
  const opened = [...drawn.keys()].map((id) => boxes[id]).filter(isOpen);
  const deepest = Math.max(...opened.map((box) => box.level));
  opened.filter((box) => box.level === deepest).forEach(closeBox);
  return opened.length > 0;
}

function drawNetwork() {
  const net = boxes[0];
  const outputs = net.outputs || {};
  tree.append(drawFlow(data.flows[net.f], net.children, data.input, outputs, "lane"));
  const beside = (box) => drawn.get(box.id).closest(".aside") !== null;
  while (openLevel(closed().filter((box) => !beside(box)), LEAST));
}
