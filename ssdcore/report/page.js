"use strict";

// Charts: each one's data stand in the JSON block right after its place.
const coarse = matchMedia("(pointer: coarse)").matches; // a finger on a chart scrolls the page
const charts = [...document.querySelectorAll(".chart")];
for (const chart of charts) {
  const { data, layout, config } = JSON.parse(chart.nextElementSibling.textContent);
  if (coarse) layout.dragmode = false;
  Plotly.newPlot(chart, data, layout, config);
}

// Paper: charts as wide as the sheet, everything unfolded; afterwards all as it was.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
  for (const chart of charts) Plotly.relayout(chart, { width: chart.closest(".pair") ? 330 : 680 });
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  for (const chart of charts) Plotly.relayout(chart, { width: null, autosize: true });
});

// Gallery: a picture opens large; the arrow keys turn the leaves, Escape closes.
const dialog = document.querySelector("dialog");
const pictures = [...document.querySelectorAll(".gallery figure")];
let shown = 0;
const show = (index) => {
  shown = (index + pictures.length) % pictures.length;
  const image = pictures[shown].querySelector("img");
  const large = dialog.querySelector("img");
  large.src = image.src;
  large.alt = image.alt;
  dialog.querySelector("p").textContent = pictures[shown].querySelector("figcaption").textContent;
  if (!dialog.open) dialog.showModal();
};
pictures.forEach((figure, index) => {
  figure.querySelector("button").addEventListener("click", () => show(index));
});
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") show(shown + 1);
  if (event.key === "ArrowLeft") show(shown - 1);
});
