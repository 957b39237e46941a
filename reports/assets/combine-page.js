// The page on which readers choose areas, groups and days: it loads measurements, asks dpStats, and shows what it says.
"use strict";

(() => {
  const form = document.getElementById("ask");
  if (!form) return;
  const { about, words, said, make, chooser, released, between, statistics, titled, nameOf, share, digits, number, errorText, range, daysText, chart, csvFile, download, address, folder } = ownFigures;
  const note = document.getElementById("said"), result = document.getElementById("result");
  const field = (name) => form.elements[name];
  let editions = [], newest = null;

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
    return address(parts);
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

  function named(question) {
    const parts = Object.entries(question.where).map(([name, codes]) => {
      const dimension = newest.dimensions.find((d) => d.name === name);
      const names = codes.map((code) => nameOf(dimension, code));
      return names.length > 4 ? said(words.more, { names: names.slice(0, 3).join(", "), count: names.length - 3 }) : names.join(", ");
    });
    return parts.length ? parts.join("; ") : words.everything;
  }

  function table(rows, question, places) {
    const body = make("tbody");
    for (const row of rows) {
      const cells = row.answer ? [number(row.answer.value, places), range(row.answer, places)] : ["", row.why];
      body.append(make("tr", {}, make("th", { scope: "row" }, row.name), ...cells.map((text, i) => make("td", { class: row.answer || !i ? "n" : "" }, text))));
    }
    const head = make("tr", {}, ...[words.period, words.estimate, words.interval].map((text, i) => make("th", { scope: "col", class: i ? "n" : "" }, text)));
    const made = make("table", {}, make("caption", {}, words.by_edition), make("thead", {}, head), body);
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": words.by_edition }, made);
  }

  function csv(rows, whole, question) {
    const cells = (start, end, answer) => [question.statistic, start, end, answer.value, answer.lower, answer.upper, answer.unrounded, answer.standard_error, answer.editions.join(" ")];
    const lines = [["statistic", "start", "end", "value", "lower_95", "upper_95", "value_unbiased", "standard_error", "editions"], cells(question.start, question.end, whole)];
    for (const row of rows) if (row.answer && rows.length > 1) lines.push(cells(row.start, row.end, row.answer));
    return csvFile(lines);
  }

  function python(question) {
    const where = Object.entries(question.where).map(([name, codes]) => `${JSON.stringify(name)}: ${JSON.stringify(codes)}`).join(", ");
    return `import dp_stats\n\nfound = dp_stats.combine(${JSON.stringify(folder())}, ${JSON.stringify(question.statistic)},\n    where={${where}}, start=${JSON.stringify(question.start)}, end=${JSON.stringify(question.end)})\nprint(found.value, found.lower, found.upper)`;
  }

  async function work() {
    const question = asked();
    note.textContent = words.loading;
    result.hidden = true;
    let loaded;
    try { loaded = await between(editions, question.start, question.end); } catch { note.textContent = words.unreachable; return; }
    await new Promise((done) => { setTimeout(done, 0); });
    let whole;
    try { whole = dpStats.answer(loaded.map((one) => one.file), question.statistic, question.where, question.start, question.end); } catch (error) {
      note.textContent = errorText(error);
      return;
    }
    const declared = statistics(newest).find((one) => one.id === question.statistic);
    const counts = declared.kind === "count" || declared.kind === "persons", places = digits(whole, counts), rows = [];
    for (const { file, edition } of loaded) {
      const row = share(edition, question);
      await new Promise((done) => { setTimeout(done, 0); }); // the page stays usable
      try { row.answer = dpStats.answer([file], question.statistic, question.where, row.start, row.end); } catch (error) { row.why = errorText(error); }
      rows.push(row);
    }
    const followed = dpStats.followed(loaded.map((one) => one.file), question.where, question.start, question.end) ? make("p", { class: "quiet" }, words.followed) : "";
    const what = `${titled(declared)}: ${named(question)}`, unit = declared.unit || "";
    const days = daysText(question);
    const shown = link(question);
    const upper = number(whole.upper, places) || words.unbounded;
    const card = make("div", { class: "figure-card" },
      make("h3", { class: "label" }, `${what}, ${days}`),
      make("p", { class: "big", id: "value" }, number(whole.value, places), " ", make("span", { class: "unit" }, unit)),
      make("p", {}, `${words.interval} `, make("span", { class: "number", id: "interval" }, `${number(whole.lower, places)} ${words.to} ${upper}`)));
    const today = new Date().toISOString().slice(0, 10);
    const cited = said(words.cite, { publisher: about.publisher, title: about.title, what, days, value: number(whole.value, places), lower: number(whole.lower, places), upper, editions: [...new Set([whole.editions[0], whole.editions.at(-1)])].join(` ${words.to} `), address: shown, today });
    result.lastElementChild.replaceChildren(
      make("div", { class: "figures" }, card), make("p", { class: "quiet" }, whole.editions.length > 1 ? said(words.from_many, { count: whole.editions.length }) : words.from_one), followed, chart(rows, what, places, form.clientWidth, words.chart),
      rows.length > 1 ? table(rows, question, places) : "", make("p", {}, download(words.download, `${about.release}.csv`, csv(rows, whole, question))),
      make("h3", {}, words.permalink), make("p", {}, make("a", { href: shown, id: "permalink" }, shown)),
      make("h3", {}, words.citation), make("p", { id: "citation" }, cited),
      make("h3", {}, words.python), make("pre", { tabindex: "0" }, make("code", {}, python(question))));
    result.hidden = false;
    note.textContent = said(words.done, { what, value: number(whole.value, places), lower: number(whole.lower, places), upper });
    history.replaceState(null, "", shown);
  }

  async function begin() {
    const found = await released();
    if (!found) { note.textContent = words.unreachable; return; }
    ({ editions, newest } = found);
    for (const one of statistics(newest)) field("statistic").append(make("option", { value: one.id }, titled(one)));
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
