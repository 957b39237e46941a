// The page on which readers choose areas, groups and days: it loads measurements, asks dpStats, and shows what it says.
"use strict";

(() => {
  const form = document.getElementById("ask");
  if (!form) return;
  const about = JSON.parse(document.getElementById("about").textContent), words = about.words;
  const language = document.documentElement.lang, files = new Map();
  const said = (text, values = {}) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
  const plain = (text) => text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const drawn = (tag, attributes = {}, ...inside) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const note = document.getElementById("said"), result = document.getElementById("result");
  const field = (name) => form.elements[name];
  let editions = [], newest = null;

  async function load(path) {
    if (!files.has(path)) {
      files.set(path, fetch(`../${path}/combine.json`).then((answer) => {
        if (answer.ok) return answer.json();
        if (answer.status === 404 || answer.status === 403) return null;
        files.delete(path);
        throw new Error(path);
      }));
    }
    return files.get(path);
  }

  const statistics = () => [...newest.release.statistics, ...newest.release.derived.filter((d) => d.kind === "rate" || d.kind === "mean")];
  const titled = (one) => one.title || one.id;

  function chooser(dimension) {
    const list = make("div", { class: "choices", tabindex: "0", role: "group", "aria-label": dimension.title || dimension.name });
    const levels = dimension.levels.length > 1 ? dimension.levels.slice(0, -1) : dimension.levels;
    for (const level of [...levels].reverse()) {
      if (levels.length > 1) list.append(make("p", { class: "level" }, level.title || level.name));
      level.codes.forEach((code, at) => {
        const box = make("input", { type: "checkbox", name: dimension.name, value: code });
        list.append(make("label", {}, box, " ", level.names[at]));
      });
    }
    const box = make("fieldset", { class: "chooser" }, make("legend", {}, dimension.title || dimension.name));
    if (list.querySelectorAll("label").length > 12) {
      const find = make("input", { type: "search", autocomplete: "off" });
      find.addEventListener("input", () => {
        const wanted = plain(find.value.trim());
        for (const label of list.querySelectorAll("label")) label.hidden = !plain(label.textContent).includes(wanted) && !label.firstChild.checked;
        for (const level of list.querySelectorAll(".level")) level.hidden = Boolean(wanted);
      });
      find.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
      box.append(make("label", { class: "find-in" }, words.filter, " ", find));
    }
    const count = make("p", { class: "quiet small" }, words.all);
    box.addEventListener("change", () => {
      const ticked = list.querySelectorAll("input:checked").length;
      count.textContent = ticked ? said(words.ticked, { count: ticked }) : words.all;
    });
    box.append(list, count);
    return box;
  }

  function asked() {
    const where = {};
    for (const dimension of newest.dimensions) {
      const codes = [...form.querySelectorAll(`input[name="${CSS.escape(dimension.name)}"]:checked`)].map((box) => box.value);
      if (codes.length) where[dimension.name] = codes;
    }
    return { statistic: field("statistic").value, where, start: field("start").value, end: field("end").value };
  }

  function link(question) {
    const parts = new URLSearchParams({ statistic: question.statistic, from: question.start, to: question.end });
    for (const [name, codes] of Object.entries(question.where)) for (const code of codes) parts.append(`in.${name}`, code);
    return `${location.origin}${location.pathname}#${parts}`; // what stands behind # is not sent to any server
  }

  function fill() {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (parts.get("statistic")) field("statistic").value = parts.get("statistic");
    if (parts.get("from")) field("start").value = parts.get("from");
    if (parts.get("to")) field("end").value = parts.get("to");
    for (const [key, code] of parts) {
      const box = key.startsWith("in.") && form.querySelector(`input[name="${CSS.escape(key.slice(3))}"][value="${CSS.escape(code)}"]`);
      if (box) { box.checked = true; box.dispatchEvent(new Event("change", { bubbles: true })); }
    }
    return parts.has("statistic");
  }

  const digits = (answer, counts) => (counts ? 0 : Math.min(Math.max(Math.ceil(1 - Math.log10(answer.standard_error || 1)), 0), 6));
  const number = (value, places) => (Number.isFinite(value) ? new Intl.NumberFormat(language, { minimumFractionDigits: places, maximumFractionDigits: places, signDisplay: "negative" }).format(value) : "");
  const period = (edition) => edition.title;
  const errorText = (error) => {
    if (!(error instanceof dpStats.NotDerivable)) return words.failed;
    const { key, values } = JSON.parse(error.message);
    return said(words.refused[key] || words.failed, values);
  };

  function named(question) {
    const parts = Object.entries(question.where).map(([name, codes]) => {
      const dimension = newest.dimensions.find((d) => d.name === name);
      const names = codes.map((code) => { const level = dimension.levels.find((l) => l.codes.includes(code)); return level ? level.names[level.codes.indexOf(code)] : code; });
      return names.length > 4 ? said(words.more, { names: names.slice(0, 3).join(", "), count: names.length - 3 }) : names.join(", ");
    });
    return parts.length ? parts.join("; ") : words.everything;
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function chart(rows, title, places) {
    const known = rows.filter((row) => row.answer);
    if (known.length < 2) return "";
    const width = clamp(form.clientWidth || 640, 280, 736), height = 260, left = 64, bottom = 40, top = 12;
    const most = Math.max(...known.map((r) => (Number.isFinite(r.answer.upper) ? r.answer.upper : r.answer.value)));
    const least = Math.min(0, ...known.map((r) => r.answer.lower));
    const x = (i) => left + (i + 0.5) * (width - left - 8) / rows.length;
    const y = (value) => top + (height - top - bottom) * (1 - (value - least) / ((most - least) || 1));
    const words_ = known.map((r) => `${r.name}: ${number(r.answer.value, places)} (${number(r.answer.lower, places)}–${number(r.answer.upper, places)})`).join("; ");
    const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "combined", role: "img", "aria-label": `${title}. ${words_}` });
    for (const share of [0, 0.5, 1]) {
      const value = least + share * (most - least);
      picture.append(drawn("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: "rule" }));
      picture.append(drawn("text", { x: left - 8, y: y(value) + 5, class: "end" }, number(value, most < 10 ? places : 0)));
    }
    const every = Math.ceil(rows.length / (width < 500 ? 3 : 5));
    rows.forEach((row, i) => {
      if (i % every === 0) picture.append(drawn("text", { x: clamp(x(i), left, width - 8), y: height - 14, class: i ? "middle" : "" }, row.label));
      if (!row.answer) return;
      const upper = Number.isFinite(row.answer.upper) ? row.answer.upper : most;
      picture.append(drawn("line", { x1: x(i), x2: x(i), y1: y(row.answer.lower), y2: y(upper), class: "interval" }));
      picture.append(drawn("circle", { cx: x(i), cy: y(row.answer.value), r: rows.length > 30 ? 3 : 4.5 }));
    });
    const figure = make("figure", {}, picture);
    figure.append(make("figcaption", {}, words.chart));
    return figure;
  }

  function table(rows, question, places) {
    const body = make("tbody");
    for (const row of rows) {
      const cells = row.answer ? [number(row.answer.value, places), `${number(row.answer.lower, places)} ${words.to} ${number(row.answer.upper, places) || words.unbounded}`] : ["", row.why];
      body.append(make("tr", {}, make("th", { scope: "row" }, row.name), ...cells.map((text, i) => make("td", { class: row.answer || !i ? "n" : "" }, text))));
    }
    const head = make("tr", {}, ...[words.period, words.estimate, words.interval].map((text, i) => make("th", { scope: "col", class: i ? "n" : "" }, text)));
    const made = make("table", {}, make("caption", {}, words.by_edition), make("thead", {}, head), body);
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": words.by_edition }, made);
  }

  function csv(rows, whole, question) {
    const quote = (text) => (/[",\r\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text);
    const line = (start, end, answer) => [question.statistic, start, end, answer.value, answer.lower, answer.upper, answer.unrounded, answer.standard_error, answer.editions.join(" ")].map(quote).join(",");
    const lines = ["statistic,start,end,value,lower_95,upper_95,value_unbiased,standard_error,editions", line(question.start, question.end, whole)];
    for (const row of rows) if (row.answer && rows.length > 1) lines.push(line(row.start, row.end, row.answer));
    return new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" });
  }

  function python(question) {
    const where = Object.entries(question.where).map(([name, codes]) => `${JSON.stringify(name)}: ${JSON.stringify(codes)}`).join(", ");
    const place = location.origin + location.pathname.replace(/\/[^/]*$/, "");
    return `import dp_stats\n\nfound = dp_stats.combine(${JSON.stringify(place)}, ${JSON.stringify(question.statistic)},\n    where={${where}}, start=${JSON.stringify(question.start)}, end=${JSON.stringify(question.end)})\nprint(found.value, found.lower, found.upper)`;
  }

  async function work() {
    const question = asked();
    note.textContent = words.loading;
    result.hidden = true;
    const wanted = editions.filter((e) => e.start <= question.end && e.end >= question.start);
    let loaded;
    try {
      loaded = (await Promise.all(wanted.map((e) => load(e.path)))).map((file, i) => ({ file, edition: wanted[i] })).filter((one) => one.file);
    } catch { note.textContent = words.unreachable; return; }
    await new Promise((done) => { setTimeout(done, 0); });
    let whole;
    try { whole = dpStats.answer(loaded.map((one) => one.file), question.statistic, question.where, question.start, question.end); } catch (error) {
      note.textContent = errorText(error);
      return;
    }
    const declared = statistics().find((one) => one.id === question.statistic);
    const counts = declared.kind === "count" || declared.kind === "persons", places = digits(whole, counts), rows = [];
    for (const { file, edition } of loaded) {
      const start = edition.start > question.start ? edition.start : question.start, end = edition.end < question.end ? edition.end : question.end;
      const row = { name: edition.title, label: edition.start, start, end };
      if (start !== edition.start || end !== edition.end) row.name = said(words.days, { start, end });
      await new Promise((done) => { setTimeout(done, 0); }); // the page stays usable
      try { row.answer = dpStats.answer([file], question.statistic, question.where, start, end); } catch (error) { row.why = errorText(error); }
      rows.push(row);
    }
    const what = `${titled(declared)}: ${named(question)}`, unit = declared.unit || "";
    const days = said(words.days, { start: question.start, end: question.end });
    const shown = link(question);
    const upper = number(whole.upper, places) || words.unbounded;
    const card = make("div", { class: "figure-card" },
      make("h3", { class: "label" }, `${what}, ${days}`),
      make("p", { class: "big", id: "value" }, number(whole.value, places), " ", make("span", { class: "unit" }, unit)),
      make("p", {}, `${words.interval} `, make("span", { class: "number", id: "interval" }, `${number(whole.lower, places)} ${words.to} ${upper}`)));
    const download = make("a", { class: "button plain", download: `${about.release}.csv`, href: URL.createObjectURL(csv(rows, whole, question)) }, words.download);
    const today = new Date().toISOString().slice(0, 10);
    const cited = said(words.cite, { publisher: about.publisher, title: about.title, what, days, value: number(whole.value, places), lower: number(whole.lower, places), upper, editions: whole.editions.length, address: shown, today });
    result.lastElementChild.replaceChildren(
      make("div", { class: "figures" }, card), make("p", { class: "quiet" }, whole.editions.length > 1 ? said(words.from_many, { count: whole.editions.length }) : words.from_one), chart(rows, what, places),
      rows.length > 1 ? table(rows, question, places) : "", make("p", {}, download),
      make("h3", {}, words.permalink), make("p", {}, make("a", { href: shown, id: "permalink" }, shown)),
      make("h3", {}, words.citation), make("p", { id: "citation" }, cited),
      make("h3", {}, words.python), make("pre", { tabindex: "0" }, make("code", {}, python(question))));
    result.hidden = false;
    note.textContent = said(words.done, { what, value: number(whole.value, places), lower: number(whole.lower, places), upper });
    history.replaceState(null, "", shown);
  }

  async function begin() {
    try {
      const index = await (await fetch("history/index.json")).json();
      editions = index.editions;
      newest = await load(editions.at(-1).path);
    } catch { newest = null; }
    if (!newest) { note.textContent = words.unreachable; return; }
    for (const one of statistics()) field("statistic").append(make("option", { value: one.id }, titled(one)));
    for (const name of ["start", "end"]) { field(name).min = editions[0].start; field(name).max = editions.at(-1).end; }
    field("start").value = editions.at(-1).start;
    field("end").value = editions.at(-1).end;
    const choosers = document.getElementById("choosers");
    for (const dimension of newest.dimensions) if (dimension.kind !== "date" && dimension.levels[0].codes.length > 1) choosers.append(chooser(dimension));
    form.hidden = false;
    note.textContent = "";
    form.addEventListener("submit", (event) => { event.preventDefault(); work(); });
    addEventListener("hashchange", () => location.reload());
    if (fill()) await work();
  }
  begin();
})();
