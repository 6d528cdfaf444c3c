// The network's data, and what can be told of a box from it.
const data = JSON.parse(document.getElementById("data").textContent);
const boxes = data.boxes;
const FRAMES = ["loop", "side", "range"];

// A box gets its number, the box around it, those in it, its level and its path.
function link() {
  const open = [];
  boxes.forEach((box, id) => {
    while (open.length && open[open.length - 1].e <= id) open.pop();
    const parent = open[open.length - 1];
    Object.assign(box, { id, parent, children: [], level: open.length });
    if (box.f !== undefined) open.push(box);
    if (!parent) {
      Object.assign(box, { path: "", total: 1, mode: "always", idle: false });
      return;
    }
    parent.children.push(box);
    const named = !FRAMES.includes(box.k);
    box.path = named ? (parent.path ? `${parent.path}.${box.n}` : box.n) : parent.path;
    box.total = box.c || (named ? 1 : parent.total * (box.x || 1));
    box.mode = box.d || parent.mode;
    box.idle = Boolean(box.u) || parent.idle;
  });
}

const isOp = (box) => box.f === undefined && !["block", "container", "net"].includes(box.k);
const text = (place) => (place === undefined ? "" : data.texts[place]);
const shape = (place) => data.shapes[place][0];
const typeset = (words) => words.replaceAll("x", " × ");
const whole = (number) => (typeof number === "number" ? number.toLocaleString("en") : number);

// The text of what a box does: `conv 7x7, 64, stride 2`, `6 steps`.
function what(box) {
  if (box.k === "loop") return `repeated ${whole(box.x)} times`;
  if (box.k === "range") return `boxes ${box.n}`;
  if (box.k === "side") return "side head";
  return text(box.w);
}

function title(box) {
  if (box.k === "net") return data.name;
  return FRAMES.includes(box.k) ? (box.path ? `${box.path}: ${what(box)}` : what(box)) : box.path;
}

// Three digits with a unit.
function short(number) {
  if (typeof number !== "number") return number;
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (number >= size) return `${(number / size).toPrecision(number / size >= 1000 ? 4 : 3)} ${unit}`;
  }
  return String(number);
}

const bytes = (number) => (typeof number === "number" ? `${short(number)}B` : `${number} bytes`);

// A number of all that a box stands for; text stays as it is.
function times(number, count) {
  if (typeof number === "number") return number * count;
  return count === 1 ? number : `${count} × ${number}`;
}

function share(part, total) {
  if (typeof part !== "number" || typeof total !== "number" || !total) return "";
  const percent = (100 * part) / total;
  return percent && percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}

function seen(box) {
  if (box.r === undefined) return "";
  const field = data.fields[box.r][0];
  if (!field) return "?";
  return field.length ? field.join("x") : "1";
}

// Makes an element; what stands in it is text, never markup.
function make(tag, classes, ...content) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...content);
  return element;
}

link();
