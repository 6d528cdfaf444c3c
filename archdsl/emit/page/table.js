// The table of layers. Only the rows in sight are in the document, with room for the others above and below.
const table = document.getElementById("table");
const scroller = document.getElementById("layers");
const ROW = 24; // pixels, as in the style sheet
const PRINTED = 3000; // rows on paper at most
const by = (value) => (box) => times(value(box) || 0, box.total);
const some = (number) => (number ? whole(number) : "");
const COLUMNS = [
  { name: "Layer", value: (box) => box.id, cell: (box) => make("bdi", "", box.path) },
  { name: "Op", value: (box) => what(box), cell: (box) => what(box).split(" ")[0] },
  { name: "Output", number: true, value: (box) => data.shapes[box.o][1], cell: (box) => typeset(shape(box.o)) },
  { name: "Params", number: true, value: by((box) => box.p), cell: (box) => some(by((one) => one.p)(box)) },
  { name: "MACs", number: true, value: by((box) => box.m), cell: (box) => some(by((one) => one.m)(box)) },
  { name: "of all", number: true, value: by((box) => box.m), cell: (box) => (box.m ? share(by((one) => one.m)(box), data.macs) : "") },
  { name: "Sees", number: true, value: (box) => area(box), cell: (box) => typeset(seen(box)) },
  { name: "Count", number: true, value: (box) => box.total, cell: (box) => (box.total > 1 ? whole(box.total) : "") },
];
const layers = boxes.filter((box) => box.f === undefined);
let rows = layers;
let order = { column: 0, down: false };
let chosen = null;

function area(box) {
  const field = data.fields[box.r][0];
  return field ? field.reduce((product, size) => product * (typeof size === "number" ? size : 1), 1) : -1;
}

function drawHead() {
  const head = table.tHead.rows[0];
  COLUMNS.forEach((column, place) => {
    const button = make("button", "", column.name);
    button.type = "button";
    button.tabIndex = 0;
    button.addEventListener("click", () => sortBy(place));
    const cell = make("th", column.number ? "number" : "", button);
    cell.scope = "col";
    cell.dataset.name = column.name;
    head.append(cell);
  });
}

// Numbers by their size, texts (of open sizes too) by their letters behind all numbers.
function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one === "string" && typeof other === "string") return one.localeCompare(other, "en", { numeric: true });
  return typeof one === "number" ? -1 : 1;
}

function sortBy(column) {
  const number = Boolean(COLUMNS[column].number);
  order = { column, down: order.column === column ? !order.down : number };
  arrange();
}

// The rows in order, and again on the page.
function arrange() {
  const { value } = COLUMNS[order.column];
  const sign = order.down ? -1 : 1;
  const keyed = rows.map((box) => [value(box), box]);
  keyed.sort((one, other) => sign * compare(one[0], other[0]) || one[1].id - other[1].id);
  rows = keyed.map((pair) => pair[1]);
  [...table.tHead.rows[0].cells].forEach((cell, place) => {
    if (place === order.column) cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  drawRows();
}

function filterRows(found) {
  rows = found === null ? layers : layers.filter((box) => found.has(box.id));
  arrange();
  const foot = table.tFoot.rows[0];
  foot.replaceChildren();
  const sum = (key) => rows.reduce((total, box) => times(box[key] || 0, box.total) + total, 0);
  const all = found === null;
  const cells = [`${whole(rows.length)} rows`, "", "", all ? data.params : sum("p"), all ? data.macs : sum("m"), "", "", ""];
  cells.forEach((value, place) => foot.append(make("td", COLUMNS[place].number ? "number" : "", whole(value))));
}

function room(height) {
  const cell = make("td");
  cell.colSpan = COLUMNS.length;
  cell.style.height = `${height}px`;
  const row = make("tr", "room", cell);
  row.setAttribute("aria-hidden", "true");
  return row;
}

function drawRow(box) {
  const cells = COLUMNS.map((column) => make("td", column.number ? "number" : "", column.cell(box)));
  const row = make("tr", "", ...cells);
  cells[0].title = box.path;
  cells[1].title = what(box);
  row.id = `row-${box.id}`;
  row.dataset.box = box.id;
  row.setAttribute("aria-selected", String(box === chosen));
  if (chosen && chosen.f !== undefined && chosen.k !== "net" && box.id > chosen.id && box.id < chosen.e) row.classList.add("inside");
  return row;
}

function drawRows(all = false) {
  const from = all ? 0 : Math.max(0, Math.floor(scroller.scrollTop / ROW) - 20);
  const to = all ? Math.min(rows.length, PRINTED) : Math.min(rows.length, from + Math.ceil(scroller.clientHeight / ROW) + 40);
  const body = table.tBodies[0];
  body.replaceChildren(...rows.slice(from, to).map(drawRow));
  if (from) body.prepend(room(from * ROW));
  if (!all && to < rows.length) body.append(room((rows.length - to) * ROW));
}

// Marks the row of a box, or those of the layers in it.
function showRow(box) {
  chosen = box;
  const place = rows.findIndex((row) => row === box || (box.k !== "net" && box.e && row.id > box.id && row.id < box.e));
  table.removeAttribute("aria-activedescendant");
  if (place >= 0) {
    const top = place * ROW;
    const visible = scroller.clientHeight - 3 * ROW;
    if (top < scroller.scrollTop || top > scroller.scrollTop + visible) scroller.scrollTop = Math.max(0, top - visible / 2);
    if (rows[place] === box) table.setAttribute("aria-activedescendant", `row-${box.id}`);
  }
  drawRows();
}

function rowBeside(step) {
  const place = rows.indexOf(chosen);
  return rows[Math.min(rows.length - 1, Math.max(0, place + step))];
}
