// Search by name, operation and shape: every word must be in a box's text.
const search = document.getElementById("search");
const found = document.getElementById("found");
let hits = [];
let at = -1;

const plain = (words) => words.toLowerCase().replaceAll("×", "x").replace(/\s*x\s*(?=\d)/g, "x");

function searched(box) {
  if (box.searched === undefined) {
    const shapes = [...(box.i || []), ...(box.o === undefined ? [] : [box.o])].map(shape);
    box.searched = plain([box.path, box.k === "side" ? box.n : "", box.k, text(box.w), ...shapes].join(" "));
  }
  return box.searched;
}

function runSearch() {
  const words = plain(search.value).split(/\s+/).filter(Boolean);
  hits = words.length ? boxes.filter((box) => box.k !== "net" && words.every((word) => searched(box).includes(word))) : [];
  at = -1;
  const ids = new Set(hits.map((box) => box.id));
  markHits(ids);
  filterRows(words.length ? ids : null);
  found.textContent = words.length ? `${whole(hits.length)} found` : "";
}

function markHits(ids) {
  for (const [id, element] of drawn) element.classList.toggle("hit", ids.has(id));
}

// The next of what was found, or the one before; nothing where nothing was.
function nextHit(step) {
  if (!hits.length) return null;
  at = (at + step + hits.length) % hits.length;
  found.textContent = `${whole(at + 1)} of ${whole(hits.length)}`;
  return hits[at];
}
