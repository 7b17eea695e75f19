"use strict";

// Galleries: shows images and their boxes by gallery, kind, class and score. An object is missed if
// no detection from that score on is correct or a class or localisation error on it; the kind of a
// detection does not depend on those of lower scores.
const filters = document.querySelector(".filters");
if (filters) {
  const gallery = document.querySelector(".gallery");
  const { scores, curves, said } = JSON.parse(document.querySelector("#score-curves").textContent);
  const stops = [...scores, Number(filters.elements.threshold.defaultValue)]; // of the slider
  const accounts = ["correct", "class", "localisation"];
  const kinds = [...filters.querySelectorAll("[name=kind]")];
  const images = [...gallery.children].map((figure) => {
    const boxes = [...figure.querySelectorAll(".box")];
    return {
      figure,
      counts: figure.querySelector("figcaption span"),
      objects: boxes.filter((box) => !box.dataset.score),
      detections: boxes.filter((box) => box.dataset.score),
    };
  });

  const written = (figure, name) => // as in the verdict
    name === "F1" ? figure.toFixed(3) : `${+(100 * figure).toPrecision(3)}\u00a0%`;
  const atFirst = 9; // images that show until one asks for more
  const dense = 12; // boxes from which on their labels are left to the enlarged image
  const more = document.querySelector(".more");
  let all = false;

  const become = (box, kind) => {
    if (box.classList.contains(kind)) return;
    box.classList.remove("missed", "truth");
    box.classList.add(kind);
    box.querySelector("b").firstChild.data = `${kind === "missed" ? "?" : "·"} `;
  };

  const inOrder = (chosen) => {
    const place = (image) => Number(image.figure.dataset[chosen] ?? Infinity);
    const order = [...images].sort((a, b) => chosen ? place(a) - place(b) || 0 : 0);
    gallery.append(...order.map(({ figure }) => figure));
    return order;
  };

  const redraw = () => {
    const chosen = filters.elements.gallery.value;
    const label = filters.elements.class.value;
    const { value } = filters.elements.threshold;
    const threshold = stops.reduce((best, one) =>
      Math.abs(one - value) < Math.abs(best - value) ? one : best);
    const wanted = new Set(kinds.filter((kind) => kind.checked).map((kind) => kind.value));
    const narrowed = label || kinds.some((kind) => !kind.checked && kind.value !== "truth");
    const ofClass = ({ dataset }) => !label || label === dataset.class || label === dataset.about;
    const totals = new Map();
    let fitting = 0;
    for (const { figure, counts, objects, detections } of inOrder(chosen)) {
      const found = new Map();
      const accounted = new Set();
      const draw = (box, kind) => {
        if (kind !== "truth") found.set(kind, (found.get(kind) ?? 0) + 1);
        box.hidden = !wanted.has(kind);
        return !box.hidden && kind !== "truth";
      };
      let drawn = 0;
      for (const box of detections) {
        const { kind, link, score } = box.dataset;
        box.hidden = true;
        if (Number(score) < threshold) continue;
        if (accounts.includes(kind)) accounted.add(Number(link));
        if (ofClass(box)) drawn += draw(box, kind);
      }
      objects.forEach((box, index) => {
        const kind = box.dataset.link === "crowd" || accounted.has(index) ? "truth" : "missed";
        become(box, kind);
        box.hidden = true;
        if (ofClass(box)) drawn += draw(box, kind);
      });
      figure.classList.toggle("dense", drawn > dense);
      const fits = (!chosen || chosen in figure.dataset) && (!narrowed || drawn > 0);
      fitting += fits;
      figure.hidden = !fits || (!all && fitting > atFirst);
      counts.textContent = kinds.filter((kind) => found.has(kind.value))
        .map((kind) => `${found.get(kind.value)} ${kind.dataset.name}`).join(" · ");
      if (!fits) continue;
      for (const [kind, count] of found) totals.set(kind, (totals.get(kind) ?? 0) + count);
    }
    for (const kind of kinds) {
      const total = kind.parentElement.querySelector("output");
      if (total) total.textContent = totals.get(kind.value) ?? 0;
    }
    filters.querySelector(".slider output").textContent = threshold.toFixed(3);
    const at = curves[label]?.[scores.indexOf(threshold)] ?? [];
    const figures = ["precision", "recall", "F1"].flatMap((name, index) =>
      typeof at[index] === "number" ? [`${name} ${written(at[index], name)}`] : []);
    const whole = figures.length && (label || threshold !== said) ? ` All evaluated images: ${figures.join(", ")}.` : "";
    filters.querySelector(".status").textContent = `${fitting} of ${images.length} images, with ` +
      `the boxes counted above, from a score of ${threshold.toFixed(3)} on.${whole}`;
    document.querySelector(".none").hidden = fitting > 0;
    more.hidden = all || fitting <= atFirst;
    more.textContent = `Show ${fitting - atFirst} more`;
  };

  filters.hidden = false;
  filters.addEventListener("input", redraw);
  filters.querySelector(".reset").addEventListener("click", () => {
    filters.reset();
    redraw();
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    all = true;
    redraw();
  });
  addEventListener("beforeprint", () => {
    for (const { figure } of images) figure.hidden = false;
  });
  addEventListener("afterprint", redraw);
  redraw();
}

// Lines by class: the class that is picked stands out.
for (const pick of document.querySelectorAll(".pick")) {
  const chart = pick.closest(".table").querySelector(".chart");
  pick.hidden = false;
  pick.addEventListener("change", ({ target }) => {
    draw(chart);
    chart.own ??= chart.data.map(({ line, opacity }) => ({ ...line, opacity }));
    const picked = { color: "#d4742a", width: 3, opacity: 1 };
    const look = chart.data.map(({ meta }, index) =>
      meta >= 0 && String(meta) === target.value ? picked : chart.own[index]);
    Plotly.restyle(chart, {
      "line.color": look.map(({ color }) => color),
      "line.width": look.map(({ width }) => width),
      opacity: look.map(({ opacity }) => opacity),
    });
  });
}
