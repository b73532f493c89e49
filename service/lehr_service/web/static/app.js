"use strict";
// What pages do: buttons and forms call the REST API, live parts are fetched again and swapped;
// figures.js draws. Text from the server is never read as HTML here, but for whole pages, which the
// server has escaped.

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function say(text) {
  $("#message").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $("#message").textContent = ""; }, 6000);
}

async function reach(url, request) {
  try {
    return await fetch(url, request);
  } catch { // what a browser says of it differs, and tells nobody what to do
    throw new Error("the server does not answer; try again when it runs and can be reached");
  }
}

async function call(method, url, body) {
  const request = { method };
  if (body !== undefined) {
    request.headers = { "Content-Type": "application/json" };
    request.body = JSON.stringify(body);
  }
  const answer = await reach(url, request);
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  let error = { message: `the server answered ${answer.status}`, fields: [] };
  try { error = JSON.parse(text).error; } catch { /* no JSON: the status must do */ }
  throw Object.assign(new Error(error.message), { fields: error.fields, status: answer.status });
}

// Live parts

async function fetchPage(url) {
  const answer = await reach(url, { headers: { Accept: "text/html" } });
  if (answer.redirected) location.reload(); // signed out
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function swap(old, fresh) {
  if (!fresh || old.innerHTML === fresh.innerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set(all("details[open]", old).map((element) => element.id));
  old.replaceChildren(...fresh.childNodes);
  for (const element of all("details", old)) element.open = open.has(element.id);
  if (focused) document.getElementById(focused)?.focus();
}

async function refresh() {
  const fresh = await fetchPage(location.href).catch((error) => {
    $("#stale").hidden = false;
    throw error;
  });
  $("#stale").hidden = true;
  for (const part of all("[data-live]")) swap(part, fresh.getElementById(part.id));
  document.body.dataset.finished = fresh.body.dataset.finished ?? "";
  document.body.dataset.refresh = fresh.body.dataset.refresh ?? "";
  for (const element of all("#enqueue")) element.hidden = document.body.dataset.finished === "yes";
  return fresh;
}

// At most one run at a time, at most one every `pause` ms, and never a last change left out.
function throttled(act, pause) {
  let wanted = false, busy = false;
  return async function run() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      try { await act(); } catch (error) { console.warn(error.message); }
      await new Promise((done) => setTimeout(done, pause));
    }
    busy = false;
  };
}

const refreshSoon = throttled(refresh, 700);
const redrawSoon = throttled(() => Promise.all(all("[data-plot]").map(draw)), 2500);

function follow() {
  const { events, revision, finished } = document.body.dataset;
  if (!events || finished === "yes") return;
  const source = new EventSource(`${events}?since_revision=${revision}`);
  const changed = () => { refreshSoon(); redrawSoon(); };
  source.addEventListener("trial", changed);
  source.addEventListener("report", changed);
  source.addEventListener("study", (event) => {
    changed();
    const state = JSON.parse(event.data).state;
    if (["completed", "cancelled", "failed"].includes(state)) source.close();
  });
  addEventListener("pagehide", () => source.close());
}

function poll() {
  const every = Number(document.body.dataset.refresh);
  if (!every) return;
  setInterval(() => { if (!document.hidden && document.body.dataset.refresh) refreshSoon(); }, every * 1000);
}

// Buttons and forms

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-post],[data-delete],[data-copy]");
  if (!button) return;
  const { post, confirm: question, then, copy } = button.dataset;
  if (copy) return copyText(document.getElementById(copy));
  if (question && !confirm(question)) return;
  button.disabled = true;
  try {
    await call(post ? "POST" : "DELETE", post ?? button.dataset.delete);
    if (then) location.assign(then);
    else await refresh();
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
});

async function copyText(place) {
  try {
    await navigator.clipboard.writeText(place.textContent);
    say("copied");
  } catch { // browsers let pages copy over HTTPS and on this machine only
    getSelection().selectAllChildren(place);
    say("selected: copy it with Ctrl+C");
  }
}

function problems(error) {
  const list = make("ul");
  for (const { path, message } of error.fields ?? []) {
    list.append(make("li", {}, make("code", {}, path), `: ${message}`));
  }
  return list.childElementCount ? list : make("span");
}

function wireNewStudy(form) {
  const area = $("textarea", form), verdict = $("#verdict", form), button = $("button", form);
  let definition = null, turn = 0;
  async function check() {
    const mine = ++turn;
    button.disabled = true;
    try {
      const read = await call("POST", "/pages/definition", { text: area.value });
      const study = await call("POST", "/v1/studies?validate_only=true", read);
      if (mine !== turn) return;
      definition = read;
      const note = study.reason ? ` (${study.reason})` : "";
      verdict.replaceChildren(make("p", { class: "ok" }, `✓ the definition is valid${note}`));
      button.disabled = false;
    } catch (error) {
      if (mine !== turn) return;
      verdict.replaceChildren(make("p", { class: "error" }, error.message), problems(error));
    }
  }
  let timer;
  area.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 350); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const study = await call("POST", "/v1/studies", definition);
      location.assign(`/studies/${study.name}`);
    } catch (error) {
      verdict.replaceChildren(make("p", { class: "error" }, error.message), problems(error));
    }
  });
  check();
}

function wireForm(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = $(".error", form);
    place.hidden = true;
    try {
      await act();
    } catch (error) {
      place.replaceChildren(error.message, problems(error));
      place.hidden = false;
    }
  });
}

async function makeToken(form) {
  const wanted = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  const made = await call("POST", "/v1/tokens", wanted);
  if (form.dataset.open === "yes") await call("POST", "/sign-in", { token: made.token });
  form.dataset.open = "no";
  form.reset();
  $("#made-token").textContent = made.token;
  $("#made-name").textContent = made.name;
  $("#made").hidden = false;
  $("#made").focus();
  await refresh();
}

function wireForms() {
  for (const form of all("[data-new-study]")) wireNewStudy(form);
  for (const form of all("[data-sign-in]")) {
    wireForm(form, async () => {
      await call("POST", "/sign-in", { token: $("input", form).value });
      location.assign("/");
    });
  }
  for (const form of all("[data-new-token]")) wireForm(form, () => makeToken(form));
  for (const form of all("[data-enqueue]")) {
    wireForm(form, async () => {
      const text = $("textarea", form).value.trim();
      const params = text ? await call("POST", "/pages/definition", { text }) : {};
      const trial = await call("POST", form.dataset.enqueue, { params });
      say(`trial ${trial.number} waits for a worker`);
      await refresh();
    });
  }
}

// Tabs: links that swap a part of the page, and stay links for keyboards, histories and new windows.

async function show(url, push) {
  try {
    const fresh = await fetchPage(url);
    if (push) history.pushState(null, "", url);
    const old = $("#tab"), next = fresh.getElementById("tab");
    for (const plot of all(".js-plotly-plot", old)) Plotly.purge(plot);
    old.replaceWith(next);
    const { scrollLeft } = $("#tabs");
    swap($("#tabs"), fresh.getElementById("tabs"));
    $("#tabs").scrollLeft = scrollLeft;
    await drawAll();
  } catch {
    location.assign(url);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-tab]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link.href, true);
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-choose]");
  if (!form) return;
  event.preventDefault();
  const chosen = [...new FormData(form)].filter(([, value]) => value !== "");
  show(`${form.getAttribute("action")}?${new URLSearchParams(chosen)}`, true);
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-choose] select")) event.target.form.requestSubmit();
  if (event.target.matches("[data-log]")) {
    const box = event.target.closest(".plot-box");
    draw($("[data-plot]", box));
  }
});
addEventListener("popstate", () => { if ($("#tab")) show(location.href, false); });

// On a phone the row of tabs is wider than the page: the chosen one is to be seen.
function showChosenTab() {
  const chosen = $(".tabs [aria-current]");
  if (chosen) chosen.parentElement.scrollLeft = chosen.offsetLeft - chosen.parentElement.offsetLeft - 40;
}

// Start

for (const place of all("[data-openapi]")) {
  SwaggerUIBundle({ url: place.dataset.openapi, domNode: place, validatorUrl: null, deepLinking: true });
}
wireForms();
follow();
poll();
drawAll();
showChosenTab();
for (const place of all("[data-range-tests]")) showRangeTests(place);
