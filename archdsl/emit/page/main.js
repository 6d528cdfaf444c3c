// What happens on a click, a key, a search.
const KINDS = {
  conv: "convolution", linear: "linear", attention: "attention", pool: "pooling", norm: "normalisation",
  activation: "activation", merge: "merge", dropout: "dropout", shape: "reshaping", other: "other",
};
const PAPER = 680; // pixels that fit on a sheet of A4 or Letter
let selected = boxes[0];

// Selects a box everywhere; focus: moves the keyboard there too.
function select(box, { focus = false, scroll = true } = {}) {
  const before = drawn.get(selected.id);
  if (before) {
    before.setAttribute("aria-selected", "false");
    before.tabIndex = -1;
  }
  selected = box;
  reveal(box);
  const element = drawn.get(box.id);
  if (element) {
    element.setAttribute("aria-selected", "true");
    element.tabIndex = 0;
    if (focus) element.focus({ preventScroll: true });
    if (scroll) scrollTo(element);
  } else {
    enter();
  }
  showDetails(box);
  showRow(box);
  showLine(box);
  markHits(new Set(hits.map((hit) => hit.id)));
}

// Where the keyboard comes into the tree while nothing is selected.
function enter() {
  const first = tree.querySelector(".box");
  if (first) first.tabIndex = 0;
}

const boxOf = (target) => {
  const element = target.closest(".box");
  return element ? boxes[Number(element.id.slice(4))] : null;
};

function toggle(box) {
  if (box.f === undefined) return;
  const view = document.getElementById("diagram");
  const place = () => drawn.get(box.id).getBoundingClientRect();
  const before = place();
  if (!isOpen(box)) openBox(box);
  else {
    if (selected.id > box.id && selected.id < box.e) select(box);
    closeBox(box);
  }
  fit();
  // What grows does so around its place under the pointer.
  const after = place();
  view.scrollTop += after.top - before.top;
  view.scrollLeft += after.left + after.width / 2 - before.left - before.width / 2;
}

// Scrolls the diagram to a box, if its head isn't in sight.
function scrollTo(element) {
  const view = document.getElementById("diagram");
  const [box, frame] = [element.firstElementChild.getBoundingClientRect(), view.getBoundingClientRect()];
  if (box.top < frame.top || box.bottom > frame.bottom - 40) view.scrollTop += box.top - frame.top - frame.height / 3;
  const middle = box.left + box.width / 2;
  if (middle < frame.left + 60 || middle > frame.right - 60) view.scrollLeft += middle - frame.left - frame.width / 2;
}

function level(open) {
  const did = open ? openLevel(closed(), MOST) : closeLevel();
  if (!did) found.textContent = open ? (closed().length ? "Too many: open one by one" : "All is open") : "All is closed";
  if (!drawn.has(selected.id)) {
    let box = selected;
    while (box.parent && !drawn.has(box.id)) box = box.parent;
    select(box.k === "net" ? boxes[0] : box);
  }
  fit();
  centre();
  markHits(new Set(hits.map((hit) => hit.id)));
}

function moveInTree(event) {
  const box = boxOf(event.target);
  if (!box || event.ctrlKey || event.metaKey || event.altKey) return;
  const shown = () => [...tree.querySelectorAll(".box")];
  const go = (element) => element && select(boxOf(element), { focus: true });
  const place = () => shown().indexOf(drawn.get(box.id));
  const moves = {
    ArrowDown: () => go(shown()[place() + 1]),
    ArrowUp: () => go(shown()[place() - 1]),
    Home: () => go(shown()[0]),
    End: () => go(shown().at(-1)),
    ArrowRight: () => (box.f === undefined ? null : isOpen(box) ? go(shown()[place() + 1]) : openBox(box)),
    ArrowLeft: () => (isOpen(box) ? toggle(box) : box.parent.parent && select(box.parent, { focus: true })),
    Enter: () => toggle(box),
    " ": () => toggle(box),
    Escape: () => (box.parent.parent ? select(box.parent, { focus: true }) : select(boxes[0])),
  };
  if (!Object.hasOwn(moves, event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
}

function showTab(name) {
  for (const one of ["layers", "spec"]) {
    const tab = document.getElementById(`tab-${one}`);
    tab.setAttribute("aria-selected", String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
    document.getElementById(one).hidden = one !== name;
  }
  if (name === "spec") showLine(selected);
  else showRow(selected);
}

function showTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const button = document.getElementById("theme");
  button.setAttribute("aria-pressed", String(dark));
}

// Makes the diagram as wide as what it is seen on at most.
function fit() {
  const [view, canvas] = [document.getElementById("diagram"), document.getElementById("canvas")];
  const width = tree.scrollWidth + 48;
  canvas.style.setProperty("--paper", Math.min(1, PAPER / width).toFixed(3));
  const fits = document.getElementById("fit").getAttribute("aria-pressed") === "true";
  canvas.style.zoom = fits ? Math.min(1, view.clientWidth / width).toFixed(3) : "";
}

function showFit(fits) {
  document.getElementById("fit").setAttribute("aria-pressed", String(fits));
  fit();
  centre();
}

function centre() {
  const view = document.getElementById("diagram");
  view.scrollLeft = (view.scrollWidth - view.clientWidth) / 2;
}

function listen() {
  tree.addEventListener("click", (event) => {
    const box = event.target.closest(".head") && boxOf(event.target);
    if (!box) return;
    toggle(box);
    select(box, { focus: true });
  });
  tree.addEventListener("mouseover", (event) => showDetails((event.target.closest(".head") && boxOf(event.target)) || selected));
  tree.addEventListener("mouseleave", () => showDetails(selected));
  tree.addEventListener("focusin", (event) => {
    if (boxOf(event.target) !== selected) select(boxOf(event.target));
  });
  tree.addEventListener("keydown", moveInTree);
  table.tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-box]");
    if (row) select(boxes[Number(row.dataset.box)]);
  });
  table.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -rows.length, End: rows.length };
    if (event.target !== table || !Object.hasOwn(steps, event.key) || !rows.length) return;
    event.preventDefault();
    select(rowBeside(steps[event.key]));
  });
  scroller.addEventListener("scroll", () => drawRows());
  spec.addEventListener("click", (event) => {
    const line = event.target.closest("li.used");
    if (line) select(boxOfLine(line));
  });
  document.getElementById("more").addEventListener("click", () => level(true));
  document.getElementById("less").addEventListener("click", () => level(false));
  document.getElementById("theme").addEventListener("click", () => showTheme(document.documentElement.dataset.theme !== "dark"));
  const fits = document.getElementById("fit");
  fits.addEventListener("click", () => showFit(fits.getAttribute("aria-pressed") !== "true"));
  listenToTabs();
  listenToSearch();
  window.addEventListener("resize", () => { fit(); drawRows(); });
  window.addEventListener("beforeprint", () => { fit(); drawRows(true); });
  window.addEventListener("afterprint", () => drawRows());
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  showTheme(dark.matches);
  dark.addEventListener("change", (event) => showTheme(event.matches));
}

function listenToTabs() {
  for (const [one, other] of [["layers", "spec"], ["spec", "layers"]]) {
    const tab = document.getElementById(`tab-${one}`);
    tab.addEventListener("click", () => showTab(one));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      showTab(other);
      document.getElementById(`tab-${other}`).focus();
    });
  }
}

function listenToSearch() {
  search.addEventListener("input", () => {
    if (search.value.trim()) showTab("layers");
    runSearch();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      const hit = nextHit(event.shiftKey ? -1 : 1);
      if (hit) select(hit);
    } else if (event.key === "Escape") {
      search.value = "";
      runSearch();
      const element = drawn.get(selected.id) || tree.querySelector(".box");
      if (element) element.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "+" || event.key === "-") level(event.key === "+");
  });
}

function drawPills() {
  const pill = (id, word, output) => document.getElementById(id).append(make("b", "", word), ` ${typeset(shape(output))}`);
  pill("entry", "input", data.input);
  const [main] = data.outputs;
  pill("exit", `output ${data.outputs.length > 1 ? main.name : ""}`.trim(), main.shape);
}

function drawLegend() {
  const kinds = new Set(boxes.map((box) => box.k));
  const legend = document.getElementById("legend");
  for (const [kind, name] of Object.entries(KINDS)) {
    if (kinds.has(kind)) legend.append(make("li", kind === "shape" ? "shape-op" : kind, name));
  }
}

function start() {
  document.getElementById("about").textContent = data.about;
  const cut = data.left_out ? " Deeper levels are left out: the network has too many layers." : "";
  document.getElementById("notes").textContent = `MACs: ${data.convention}.${cut}`;
  drawNetwork();
  drawPills();
  drawLegend();
  showTotals();
  drawHead();
  filterRows(null);
  drawSpec();
  listen();
  select(boxes[0]);
  centre();
}

start();
