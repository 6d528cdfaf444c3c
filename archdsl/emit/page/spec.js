// The spec's files, with the line of what is selected.
const spec = document.getElementById("spec");
const firstAt = new Map(); // file and line -> the first box that comes from there
let marked = [];

function drawSpec() {
  for (const box of boxes) {
    const key = `${box.l[0]}:${box.l[1]}`;
    if (box.k !== "net" && box.k !== "range" && !firstAt.has(key)) firstAt.set(key, box);
  }
  data.files.forEach((file, place) => {
    const list = make("ol");
    file.text.split(/\r\n|\n|\r/).forEach((line, at) => {
      const item = make("li", firstAt.has(`${place}:${at + 1}`) ? "used" : "", line || " ");
      item.setAttribute("value", at + 1);
      item.id = `line-${place}-${at + 1}`;
      list.append(item);
    });
    spec.append(make("h3", "", file.name), list);
  });
}

function showLine(box) {
  marked.forEach((item) => item.classList.remove("here"));
  marked = [];
  if (box.k === "net") return;
  const [file, first, last] = box.l;
  for (let line = first; line <= last; line += 1) {
    const item = document.getElementById(`line-${file}-${line}`);
    if (item) marked.push(item);
  }
  marked.forEach((item) => item.classList.add("here"));
  if (marked.length && !spec.hidden) inSight(marked[0]);
}

function inSight(item) {
  const middle = item.offsetTop - spec.offsetTop - spec.clientHeight / 3;
  spec.scrollTop = Math.max(0, middle);
}

function boxOfLine(item) {
  const [, file, line] = item.id.split("-");
  return firstAt.get(`${file}:${line}`);
}
