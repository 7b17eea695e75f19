"use strict";

// Charts: the data of each stand in the JSON block right after it. All are there when the page has
// loaded, also for a capture of the whole page; on a phone they follow one by one.
const coarse = matchMedia("(pointer: coarse)").matches; // then dragging scrolls the page
const charts = [...document.querySelectorAll(".chart")];
const draw = (chart) => {
  if (chart.data) return;
  const { data, layout, config } = JSON.parse(chart.nextElementSibling.textContent);
  if (coarse) layout.dragmode = false;
  Plotly.newPlot(chart, data, layout, config);
};
const drawNext = () => {
  const next = charts.find((chart) => !chart.data);
  if (!next) return;
  draw(next);
  setTimeout(drawNext);
};
if (coarse) drawNext();
else charts.forEach(draw);

// Print: charts as wide as the sheet, everything unfolded; restored afterwards.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
  for (const chart of charts) {
    draw(chart);
    Plotly.relayout(chart, { width: chart.closest(".half") ? 330 : 680 });
  }
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  for (const chart of charts) Plotly.relayout(chart, { width: null, autosize: true });
});

// Contents: marks the section in view, and scrolls the bar of a phone to it.
const entries = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const reading = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting) continue;
    for (const a of entries.values()) a.removeAttribute("aria-current");
    const entry = entries.get(target.id);
    entry.setAttribute("aria-current", "true");
    const list = entry.closest("ul");
    list.scrollLeft = entry.offsetLeft - list.clientWidth / 3;
  }
}, { rootMargin: "-20% 0px -79% 0px" });
for (const id of entries.keys()) reading.observe(document.getElementById(id));

// Tables: a click on a heading sorts by it, highest number first; another click reverses. A cell
// may give its value in data-value; empty ones come last in either order.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value === "" || isNaN(value) ? value : Number(value);
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const numeric = heading.classList.contains("number");
      const before = heading.getAttribute("aria-sort");
      const rising = before ? before === "descending" : !numeric;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const sorted = [...body.rows].sort((one, other) => {
        const [a, b] = [key(one, column), key(other, column)];
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = (numeric && a - b) || String(a).localeCompare(String(b)); // NaN of texts
        return rising ? order : -order;
      });
      body.append(...sorted);
    });
  });
}

// Images: a click enlarges one with its boxes; the arrow keys go to the next or previous one that
// no filter hides, Escape closes.
const dialog = document.querySelector("dialog");
let shown = null;
const show = (figure) => {
  shown = figure;
  const drawn = figure.querySelector(".image").cloneNode(true).childNodes;
  dialog.querySelector(".enlarged").replaceChildren(...drawn);
  dialog.querySelector("p").textContent = figure.querySelector("figcaption").textContent;
  if (!dialog.open) dialog.showModal();
};
const turn = (by) => {
  const images = [...document.querySelectorAll(".gallery figure:not([hidden])")];
  show(images[(images.indexOf(shown) + by + images.length) % images.length]);
};
for (const figure of document.querySelectorAll(".gallery figure")) {
  figure.querySelector(".image").addEventListener("click", () => show(figure));
}
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") turn(1);
  if (event.key === "ArrowLeft") turn(-1);
});
