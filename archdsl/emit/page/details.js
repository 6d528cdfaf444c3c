// What is known of one box.
const details = document.getElementById("details");

function facts(box) {
  const count = box.total;
  const each = (number) => (count > 1 && number ? `${whole(number)} each, ${whole(times(number, count))} in all` : whole(number));
  const part = (number, total, name) => {
    const percent = share(times(number, count), total);
    return percent && number ? `${each(number)} (${percent} of ${name})` : each(number);
  };
  const found = [];
  if (box.i && box.i.length) found.push(["Input", box.i.map((place) => typeset(shape(place))).join(" and ")]);
  if (box.o !== undefined) {
    const [words, size] = data.shapes[box.o];
    found.push(["Output", typeset(words) + (size === null ? "" : `, ${bytes(size)} in float32`)]);
  }
  if (count > 1) found.push(["Stands there", `${whole(count)} times`]);
  if (box.k !== "range") {
    found.push(["Parameters", part(box.p || 0, data.params, "all")]);
    if (box.b) found.push(["Buffers", each(box.b)]);
    found.push(["MACs", part(box.m || 0, data.macs, "all")]);
    if (box.t) found.push(["In training", `${each(box.t)} MACs more`]);
    if (box.p || box.b) found.push(["Memory", `${bytes(times((box.p || 0) + (box.b || 0), 4 * count))} of weights in float32`]);
  }
  if (box.r !== undefined) found.push(["Sees", sees(box)]);
  if (box.idle) found.push(["Runs", "never"]);
  else if (box.mode !== "always") found.push(["Runs", `in ${box.mode === "eval" ? "evaluation" : box.mode} only`]);
  const file = data.files[box.l[0]];
  if (file) found.push(["Spec", `${file.name}:${box.l[1]}`]);
  return found;
}

function sees(box) {
  const [field, stride, pad] = data.fields[box.r];
  if (!field) return "can't be told";
  if (!stride) return field.length ? `all of the input, ${field.join(" × ")}` : "all of the input";
  if (!field.length) return "one position";
  return `${field.join(" × ")} of the input, stride ${stride.join(" × ")}, pad ${pad.join(" × ")}`;
}

function showDetails(box) {
  const list = make("dl");
  for (const [name, value] of box.k === "net" ? about() : facts(box)) list.append(make("dt", "", name), make("dd", "", value));
  const words = box.k === "net" ? "the whole network" : what(box);
  details.replaceChildren(make("h2", "", title(box)), make("p", "", words), list);
}

function about() {
  const kept = data.kept_bytes;
  const found = [["Input", typeset(shape(data.input))]];
  for (const output of data.outputs) {
    const when = output.mode === "always" ? "" : `, in ${output.mode} only`;
    found.push(["Output", `${output.name}: ${typeset(shape(output.shape))}${when}`]);
  }
  found.push(["Parameters", whole(data.params)]);
  if (data.buffers) found.push(["Buffers", whole(data.buffers)]);
  found.push(["MACs", whole(data.macs)]);
  if (data.training_macs) found.push(["In training", `${whole(data.training_macs)} MACs more`]);
  found.push(["Memory", `${bytes(data.weights_bytes)} of weights; training keeps ${bytes(kept)} an image (float32)`]);
  return found;
}

function showTotals() {
  const list = document.getElementById("totals");
  const all = [["Parameters", short(data.params)], ["MACs", short(data.macs)], ["Weights", bytes(data.weights_bytes)]];
  for (const [name, value] of all) list.append(make("div", "", make("dt", "", name), make("dd", "", value)));
}
