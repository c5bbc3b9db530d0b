"use strict";
// The step map: another statistic on request, and one step marked in every picture. The page is whole without it.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const FIRST = 2, LAST = 4095; // codes below FIRST: 0 not finite, 1 zero or less on a log scale
  const VIRIDIS = ["440154", "482878", "3e4a89", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"]
    .map(text => [0, 2, 4].map(start => parseInt(text.slice(start, start + 2), 16)));
  const maps = JSON.parse(document.getElementById("maps").textContent);

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const color = share => {
    const place = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1), low = Math.min(VIRIDIS.length - 2, Math.floor(place));
    return VIRIDIS[low].map((part, index) => part + (place - low) * (VIRIDIS[low + 1][index] - part));
  };
  const shown = value => value === null ? "not finite" : value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 100000)
    ? String(Number(value.toPrecision(3))) : value.toExponential(2);

  class Quantity {
    constructor(data, count) { Object.assign(this, data); this.count = count; }
    code(column, layer) {
      const at = 2 * (column * this.count + layer);
      return DIGITS.indexOf(this.codes[at]) * 64 + DIGITS.indexOf(this.codes[at + 1]);
    }
    share(column, layer) {
      const code = this.code(column, layer);
      return code === 0 ? null : Math.max(0, (code - FIRST) / (LAST - FIRST));
    }
    at(share) {
      const value = this.low + share * (this.high - this.low);
      return this.log ? 10 ** value : value;
    }
    value(column, layer) {
      const code = this.code(column, layer);
      return code === 0 ? null : code === 1 ? 0 : this.at((code - FIRST) / (LAST - FIRST));
    }
  }

  // The plot of an SVG: the group that marks go into, and its size in the picture's own units.
  const plotOf = figure => {
    const back = figure.querySelector("svg .root > g > path.background");
    const size = back && /h([0-9.]+)v([0-9.]+)/.exec(back.getAttribute("d"));
    return size && { group: back.parentNode, width: Number(size[1]), height: Number(size[2]) };
  };
  const put = (plot, name, attributes) => {
    const made = document.createElementNS(SVG, name);
    made.setAttribute("class", "cursor");
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    plot.group.append(made);
    return made;
  };
  const linked = [...document.querySelectorAll("figure[data-steps]")].map(figure => ({ plot: plotOf(figure), ends: JSON.parse(figure.dataset.steps) }))
    .filter(each => each.plot && each.ends.length === 2)
    .map(each => ({ ...each, line: put(each.plot, "line", { y1: 0, y2: each.plot.height, x1: 0, x2: 0 }) }));
  const profiles = [...document.querySelectorAll("figure[data-quantity]")].map(figure => ({
    plot: plotOf(figure), name: JSON.parse(figure.dataset.quantity), layers: JSON.parse(figure.dataset.layers), ends: JSON.parse(figure.dataset.y),
  })).filter(each => each.plot && each.ends.length === 2).map(each => ({ ...each, line: put(each.plot, "polyline", { points: "" }) }));

  const mark = (map, column) => {
    const step = map.steps[column];
    for (const { plot, ends, line } of linked) {
      const x = Math.max(0, Math.min(1, (step - ends[0]) / (ends[1] - ends[0]))) * plot.width;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    for (const { plot, name, layers, ends, line } of profiles) {
      const quantity = map.quantities.find(each => each.name === name);
      const [low, high] = ends.map(Math.log10);
      const points = [];
      layers.forEach((layer, index) => {
        const row = map.layers.indexOf(layer);
        const value = quantity && row >= 0 ? quantity.value(column, row) : null;
        if (value > 0) {
          const y = Math.max(-0.02, Math.min(1.02, (high - Math.log10(value)) / (high - low))) * plot.height;
          points.push(`${index / Math.max(1, layers.length - 1) * plot.width},${y}`);
        }
      });
      line.setAttribute("points", points.join(" "));
    }
  };

  document.querySelectorAll("figure.map").forEach((figure, number) => {
    const map = maps[number];
    if (!map || !map.steps.length) return;
    map.quantities = map.quantities.map(each => new Quantity(each, map.layers.length));
    const columns = map.steps.length, rows = map.layers.length;
    const live = element("div", "live"), controls = element("p", "controls"), meaning = element("p");
    const select = element("select"), slider = element("input"), told = element("output");
    map.quantities.forEach((each, index) => select.append(new Option(each.name, index)));
    slider.type = "range";
    slider.min = 0;
    slider.max = columns - 1;
    slider.value = 0;
    const chooser = element("label", "", "Quantity "), cursor = element("label", "", "Step, marked in every picture ");
    chooser.append(select);
    cursor.append(slider);
    controls.append(chooser, cursor, told);
    const plot = element("div", "plot"), names = element("div", "names"), field = element("div", "field"), canvas = element("canvas"), line = element("div", "mark");
    const every = Math.max(1, Math.ceil(rows / 24));
    map.layers.forEach((name, index) => { if (index % every === 0) names.append(element("span", "", name)); });
    canvas.width = columns;
    canvas.height = rows;
    canvas.style.height = `${Math.max(120, Math.min(480, rows * 20))}px`;
    canvas.setAttribute("role", "img");
    field.append(canvas, line);
    const ends = element("div", "ends");
    ends.append(element("span", "", `step ${map.steps[0].toLocaleString("en")}`), element("span", "", map.steps[columns - 1].toLocaleString("en")));
    plot.append(names, field, ends);
    const scale = element("p", "scale"), low = element("span"), bar = element("canvas"), high = element("span"), pointed = element("output");
    bar.width = 128;
    bar.height = 1;
    bar.setAttribute("aria-hidden", "true");
    scale.append(low, bar, high, pointed);
    const values = element("ul", "values");
    live.append(controls, meaning, plot, scale, values);

    const chosen = () => map.quantities[Number(select.value)];
    const paint = (target, width, height, share) => {
      const context = target.getContext("2d"), image = context.createImageData(width, height);
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
        const found = share(x, y), at = 4 * (y * width + x);
        if (found !== null) image.data.set([...color(found), 255], at);
      }
      context.putImageData(image, 0, 0);
    };
    const draw = () => {
      const quantity = chosen();
      paint(canvas, columns, rows, (x, y) => quantity.share(x, rows - 1 - y));
      canvas.setAttribute("aria-label", `${quantity.name} of every layer over steps, from ${shown(quantity.at(0))} to ${shown(quantity.at(1))}`);
      meaning.textContent = quantity.meaning;
      low.textContent = shown(quantity.at(0));
      high.textContent = shown(quantity.at(1)) + (quantity.log ? " (log scale)" : "");
    };
    const move = () => {
      const column = Number(slider.value), quantity = chosen();
      told.textContent = map.steps[column].toLocaleString("en");
      slider.setAttribute("aria-valuetext", `step ${map.steps[column]}`);
      line.style.left = `${(column + 0.5) / columns * 100}%`;
      values.replaceChildren(...map.layers.map((name, layer) => {
        const entry = element("li");
        entry.append(element("span", "", name), element("span", "", shown(quantity.value(column, layer))));
        return entry;
      }).filter((_, layer) => layer % Math.max(1, Math.ceil(rows / 48)) === 0));
      mark(map, column);
    };
    const under = event => {
      const box = canvas.getBoundingClientRect();
      const column = Math.max(0, Math.min(columns - 1, Math.floor((event.clientX - box.left) / box.width * columns)));
      const layer = rows - 1 - Math.max(0, Math.min(rows - 1, Math.floor((event.clientY - box.top) / box.height * rows)));
      return [column, layer];
    };
    canvas.addEventListener("pointermove", event => {
      const [column, layer] = under(event);
      pointed.textContent = `step ${map.steps[column].toLocaleString("en")}, ${map.layers[layer]}: ${shown(chosen().value(column, layer))}`;
    });
    canvas.addEventListener("click", event => { [slider.value] = under(event); move(); });
    slider.addEventListener("input", move);
    select.addEventListener("change", () => { draw(); move(); });
    figure.querySelector(".scroll").hidden = true;
    const small = figure.querySelector("figcaption small");
    if (small) small.hidden = true; // says what the first quantity is
    figure.append(live);
    paint(bar, 128, 1, x => x / 127);
    draw();
    move();
  });
})();
