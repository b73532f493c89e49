"use strict";
// Figures, drawn by Plotly in the colours of the page; app.js says when.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"];

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

function themed({ data, layout }, element) {
  const narrow = element.clientWidth < 640;
  const axis = {
    gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--grid"),
    automargin: true, title: { standoff: 10 },
  };
  const page = {
    ...layout,
    autosize: true,
    template: { layout: {
      xaxis: axis, yaxis: axis, colorway: isDark() ? COLOURS.map((name) => LIT[name] ?? name) : COLOURS,
      hoverlabel: { align: "left" },
    } },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { ...layout.font, color: colour("--ink"), family: "system-ui, sans-serif", size: 13 },
    width: undefined,
    height: narrow && layout.xaxis2 ? 720 : 460,
    margin: { l: 60, r: 20, t: layout.title?.text ? 44 : 16, b: narrow && hasBar(data) ? 120 : 50 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", ...layout.legend },
  };
  if (narrow && layout.yaxis2?.anchor === "x2" && !layout.yaxis2.matches) {
    page.xaxis = { ...page.xaxis, domain: [0, 1] };
    page.xaxis2 = { ...page.xaxis2, domain: [0, 1] };
    page.yaxis = { ...page.yaxis, domain: [0.58, 1] };
    page.yaxis2 = { ...page.yaxis2, domain: [0, 0.42] };
  }
  const beside = Object.keys(layout).filter((name) => /^xaxis\d*$/.test(name)).length;
  if (beside > 2 || layout.yaxis2?.matches) inRows(page, beside, element.clientWidth);
  const wanted = 110 * (layout.xaxis?.tickvals?.length ?? 0);
  if (wanted > element.clientWidth) page.width = wanted;
  for (const box of all("[data-log]", element.closest(".plot-box") ?? document.createElement("p"))) {
    const name = box.dataset.log === "y" ? "yaxis" : "yaxis2";
    if (page[name] || name === "yaxis") {
      const type = box.checked ? "log" : (layout[name]?.type === "log" ? "linear" : layout[name]?.type);
      page[name] = { ...page[name], ...(type ? { type } : {}) };
    }
  }
  return page;
}

// Pictures that stand beside each other, in as many rows as it takes for each to be read.
function inRows(page, count, width) {
  const columns = Math.max(1, Math.min(count, Math.floor((width - 160) / 210)));
  const rows = Math.ceil(count / columns), high = rows > 1 ? 270 : 390;
  page.height = rows * high + (width < 640 ? 140 : 70);
  for (let index = 0; index < count; index += 1) {
    const suffix = index ? index + 1 : "", column = index % columns, row = Math.floor(index / columns);
    const left = column / columns, top = 1 - row / rows;
    page[`xaxis${suffix}`] = { ...page[`xaxis${suffix}`], domain: [left, left + (columns > 1 ? 0.85 : 1) / columns] };
    page[`yaxis${suffix}`] = {
      ...page[`yaxis${suffix}`], domain: [top - (high - 80) / (rows * high), top], showticklabels: !column,
      ...(column ? {} : { title: page.yaxis.title }),
    };
  }
}

// The three darkest of the palette, as they are to be seen on a dark page.
const LIT = { "#4477aa": "#7fb1e3", "#228833": "#4fbf67", "#aa3377": "#d96aa7" };

function lit(trace) {
  const shown = (value) => (Array.isArray(value) ? value.map(shown) : LIT[value] ?? value);
  const part = (name) => (trace[name]?.color ? { [name]: { ...trace[name], color: shown(trace[name].color) } } : {});
  return { ...trace, ...part("line"), ...part("marker") };
}

// Marks run from light to dark: on a dark page the last would be what is hardest to see. A bar of
// colours lies below the figure where there is no room beside it.
function themedData(data, element) {
  const dark = isDark(), narrow = element.clientWidth < 640;
  const bar = narrow
    ? { orientation: "h", thickness: 10, lenmode: "pixels", len: 220, x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom" }
    : { thickness: 14, lenmode: "pixels", len: 300, y: 1, yanchor: "top" };
  return data.map((given) => {
    const trace = dark ? lit(given) : given, { marker, colorbar } = trace;
    if (trace.type === "contour") return { ...trace, colorbar: { ...colorbar, ...bar } };
    if (!marker?.colorscale) return trace;
    const isBarAlone = trace.hoverinfo === "skip"; // of lines, whose colours are to be seen on any page
    const reversescale = dark && !isBarAlone ? !marker.reversescale : marker.reversescale;
    return { ...trace, marker: { ...marker, reversescale, colorbar: { ...marker.colorbar, ...bar } } };
  });
}

const hasBar = (data) => data.some(({ type, marker }) => type === "contour" || marker?.colorscale);

const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

async function draw(element) {
  if (!element.isConnected || document.hidden) return;
  let figure;
  try {
    figure = await call("GET", element.dataset.plot);
  } catch (error) {
    if (!element.dataset.drawn) element.replaceChildren(make("p", { class: "error" }, error.message));
    return;
  }
  await paint(element, figure);
}

async function paint(element, figure) {
  if (!element.classList.contains("js-plotly-plot")) element.replaceChildren();
  if (!figure.data.length) {
    if (element.classList.contains("js-plotly-plot")) Plotly.purge(element);
    const text = figure.layout.annotations?.[0]?.text ?? "nothing to show yet";
    element.replaceChildren(make("p", { class: "empty" }, `${text}.`));
    return;
  }
  const first = !element.classList.contains("js-plotly-plot");
  await Plotly.react(element, themedData(figure.data, element), themed(figure, element), CONFIG);
  if (first) {
    element.on("plotly_click", ({ points: [point] }) => {
      const number = point.data.meta?.trial ?? (typeof point.customdata === "number" ? point.customdata : undefined);
      const study = element.dataset.plot.split("/")[3];
      if (number !== undefined && study) location.assign(`/studies/${study}/trials/${number}`);
    });
  }
  element.dataset.drawn = "yes";
}

const drawAll = () => Promise.all(all("[data-plot]").map(draw));

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) all("[data-plot]:not([data-drawn])").forEach(draw);
});

// Range tests

async function showRangeTests(place, shown = "") {
  const said = (text) => place.replaceChildren(make("p", { class: "empty" }, text));
  const again = (seen) => setTimeout(() => showRangeTests(place, seen), 2000);
  let tests;
  try {
    tests = (await call("GET", place.dataset.rangeTests)).items;
  } catch (error) {
    return shown ? again(shown) : said(error.message);
  }
  const now = JSON.stringify(tests);
  if (tests.some(({ state }) => !["complete", "failed"].includes(state))) again(now);
  if (now === shown) return undefined;
  if (!tests.length) {
    return said("This study has none. Give an optimizer learning_rate: {range_test: {}} to have its bounds found.");
  }
  place.replaceChildren();
  for (const test of tests) await showRangeTest(place, test);
  return undefined;
}

const short = (value) => value.toPrecision(3);

async function showRangeTest(place, test) {
  const { optimizer, state, message, curves, suggestions, bounds, reused_from: from } = test;
  const told = [message, from && `measured by study ${from}`,
    bounds && `searched: learning rates from ${short(bounds.low)} to ${short(bounds.high)}`].filter(Boolean);
  place.append(make("h2", {}, `${optimizer} `, make("span", { class: `badge ${state}` }, state)));
  place.append(...told.map((text) => make("p", {}, text)));
  const seen = curves.filter((curve) => curve.learning_rates.length);
  if (!seen.length) return;
  const plot = make("div", { class: "plot", role: "group", "aria-label": `range test of ${optimizer}` });
  place.append(make("div", { class: "plot-box" }, plot));
  await paint(plot, rangeTestFigure(seen, suggestions, bounds));
  const rules = Object.entries(suggestions).map(([rule, { low, high, mean }]) => (
    make("li", {}, `${rule}: ${short(mean)} (${short(low)} to ${short(high)})`)));
  if (rules.length) {
    place.append(make("p", {}, "What published rules read off the curves, mean of the seeds (lowest to highest):"), make("ul", {}, ...rules));
  }
}

// As lehr.plots draws it: dots are batches, a line is a seed, each rule has a colour.
function rangeTestFigure(curves, suggestions, bounds) {
  const across = { yref: "paper", y0: 0, y1: 1, layer: "below" };
  const line = { color: colour("--ink"), width: 1.5 };
  const dots = { color: colour("--muted"), size: 3, opacity: 0.5 };
  const data = [
    ...curves.map((curve, index) => ({
      type: "scatter", mode: "markers", marker: dots, hoverinfo: "skip", x: curve.learning_rates, y: curve.losses,
      name: "a batch", legendgroup: "batch", showlegend: !index,
    })),
    ...curves.map((curve, index) => ({
      type: "scatter", mode: "lines", line, x: curve.learning_rates, y: curve.smoothed,
      name: "a seed, smoothed", legendgroup: "seed", showlegend: !index,
      hovertemplate: `seed ${curve.seed}<br>%{x:.3g}: %{y:.4g}<extra></extra>`,
    })),
  ];
  const shapes = Object.entries(suggestions).flatMap(([rule, { low, high, mean }], index) => {
    const own = COLOURS[index % COLOURS.length];
    return [
      { type: "rect", ...across, x0: low, x1: high, fillcolor: own, opacity: 0.25, line: { width: 0 } },
      { type: "line", ...across, x0: mean, x1: mean, line: { width: 2, color: own }, name: rule, showlegend: true },
    ];
  });
  const [first, last] = [Math.min, Math.max].map((end) => end(...curves.flatMap((c) => c.learning_rates)));
  const outside = bounds ? [[first, bounds.low], [bounds.high, Math.max(last, bounds.high)]] : [];
  shapes.push(...outside.map(([x0, x1], index) => ({ type: "rect", ...across, x0, x1, opacity: 0.15, line: { width: 0 },
    fillcolor: colour("--muted"), name: "not searched", showlegend: !index })));
  const lowest = Math.min(...curves.flatMap((curve) => curve.losses));
  const highest = Math.max(...curves.flatMap((curve) => curve.smoothed));
  const margin = 0.05 * (highest - lowest) || 1;
  return { data, layout: {
    xaxis: { type: "log", title: { text: "learning rate" }, exponentformat: "power", minorloglabels: "none",
      range: [first, Math.max(last, bounds?.high ?? last)].map(Math.log10) },
    yaxis: { title: { text: "loss of a batch" }, range: [lowest - margin, highest + margin] },
    shapes,
  } };
}
