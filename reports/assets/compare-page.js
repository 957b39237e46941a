// The page on which readers compare two to five areas or groups, and the same as a small page to embed: one chart, the table behind it, and
// how much more or less each has than the one it is compared with, with the interval of that difference.
"use strict";

(() => {
  const form = document.getElementById("compare"), frame = document.getElementById("framed");
  if (!form && !frame) return;
  const { about, words, said, clamp, make, drawn, chooser, released, between, statistics, titled, nameOf, share, digits, number, errorText, range, daysText, ticks, csvFile, download, address, folder } = ownFigures;
  const MOST = 5, LEAST = 2, note = document.getElementById("said"), result = document.getElementById("result");
  const field = (name) => form.elements[name];
  let editions = [], newest = null;

  const comparable = () => newest.dimensions.filter((d) => d.kind !== "date" && d.levels[0].codes.length > 1);
  const dimensionOf = (name) => newest.dimensions.find((d) => d.name === name);
  const ticked = (name) => [...form.querySelectorAll(`input[name="${CSS.escape(name)}"]:checked`)].map((box) => box.value);

  function asked() {
    const by = field("by").value, codes = ticked(by), against = field("against").value, where = {};
    for (const dimension of comparable()) if (dimension.name !== by && ticked(dimension.name).length) where[dimension.name] = ticked(dimension.name);
    return { statistic: field("statistic").value, by, codes, against: codes.includes(against) ? against : codes[0], where, start: field("start").value, end: field("end").value };
  }

  function parts(question) {
    const made = new URLSearchParams({ statistic: question.statistic, from: question.start, to: question.end, by: question.by, against: question.against });
    for (const code of question.codes) made.append("code", code);
    for (const [name, codes] of Object.entries(question.where)) for (const code of codes) made.append(`in.${name}`, code);
    return made;
  }

  function linked() { // what the address asks for
    const given = new URLSearchParams(location.hash.slice(1)), where = {};
    for (const [key, code] of given) if (key.startsWith("in.")) (where[key.slice(3)] ??= []).push(code);
    const by = comparable().some((d) => d.name === given.get("by")) ? given.get("by") : comparable()[0]?.name;
    const codes = [...new Set(given.getAll("code"))].filter((code) => dimensionOf(by)?.levels.some((level) => level.codes.includes(code)));
    return {
      statistic: given.get("statistic") || "", by, codes: codes.slice(0, MOST), against: codes.includes(given.get("against")) ? given.get("against") : codes[0],
      where, start: given.get("from") || editions.at(-Math.min(8, editions.length)).start, end: given.get("to") || editions.at(-1).end,
    };
  }

  // Everything that is shown: of each code its figure over all days and in each edition, and how it differs from the one compared with.
  async function worked(question) {
    const loaded = await between(editions, question.start, question.end), all = loaded.map((one) => one.file);
    const cells = (code) => ({ ...question.where, [question.by]: [code] });
    const ask = (files, code, start, end) => dpStats.answer(files, question.statistic, cells(code), start, end);
    const told = (work) => { try { return { answer: work() }; } catch (error) { return { why: errorText(error) }; } };
    const lines = [];
    for (const code of question.codes) {
      await new Promise((done) => { setTimeout(done, 0); }); // the page stays usable
      const line = { code, name: nameOf(dimensionOf(question.by), code), whole: told(() => ask(all, code, question.start, question.end)) };
      line.moments = loaded.map(({ file, edition }) => {
        const row = share(edition, question);
        return { ...row, ...told(() => ask([file], code, row.start, row.end)) };
      });
      if (code !== question.against) line.apart = told(() => dpStats.difference(all, question.statistic, cells(code), cells(question.against), question.start, question.end));
      lines.push(line);
    }
    const declared = statistics(newest).find((one) => one.id === question.statistic);
    const known = lines.flatMap((line) => [line.whole, ...line.moments]).filter((one) => one.answer).map((one) => one.answer);
    const counts = declared.kind === "count" || declared.kind === "persons";
    const wanted = lines.filter((line) => line.whole.answer).map((line) => digits(line.whole.answer, counts));
    const places = wanted.length ? Math.min(Math.max(...wanted), Math.min(...wanted) + 1) : 0;
    const followed = question.codes.some((code) => dpStats.followed(all, cells(code), question.start, question.end));
    return { lines, declared, places, known, followed, unit: declared.unit || "", days: daysText(question) };
  }

  // Which of several differences can be told: their intervals, widened so that all hold together (charts/clear.py).
  function direction(apart, many) {
    const reach = Math.max(1, Math.log(0.05 / many) / Math.log(0.05)), { value, lower, upper } = apart, middle = (lower + upper) / 2;
    const centres = Number.isFinite(middle) ? [value, middle] : [value];
    if (Math.min(...centres.map((at) => at - reach * (at - lower))) > 0) return "more";
    return Math.max(...centres.map((at) => at + reach * (upper - at))) < 0 ? "less" : "unclear";
  }

  const MARKS = ["M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z", "M-4.5-4.5H4.5V4.5H-4.5Z", "M0-6L6 0L0 6L-6 0Z", "M0-5.5L5.5 4.5H-5.5Z", "M-1.8-5.5H1.8V-1.8H5.5V1.8H1.8V5.5H-1.8V1.8H-5.5V-1.8H-1.8Z"];

  // A title in lines of at most so many letters.
  function wrapped(text, most) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (longer.length > most && lines.at(-1)) lines.push(word); else lines[lines.length - 1] = longer;
    }
    return lines;
  }

  function chart(found, title, width) {
    const { lines, places } = found, moments = lines[0].moments, single = moments.length < 2;
    const finite = (one) => [one.value, one.lower, ...(Number.isFinite(one.upper) ? [one.upper] : [])];
    const shown = lines.flatMap((line) => (single ? [line.whole] : line.moments)).filter((one) => one.answer).map((one) => one.answer);
    const ends = shown.flatMap(finite), lowest = Math.min(0, ...ends), axis = ticks(lowest, Math.max(...ends, lowest + 1)), [least, most] = [axis[0], axis.at(-1)];
    const letters = Math.max(12, Math.floor((width - 16) / 7.6)), head = wrapped(title, letters - 2), above = 14 + 20 * head.length;
    const names = lines.map((line) => wrapped(line.name, letters - 4)), at = names.map((_, i) => above + names.slice(0, i).reduce((sum, rows) => sum + 4 + 20 * rows.length, 0));
    const top = at.at(-1) + 4 + 20 * names.at(-1).length, bottom = single ? 12 : 34, plot = 240, height = top + plot + bottom;
    const label = (value) => number(value, axis.some((one) => !Number.isInteger(one)) ? 1 : 0), left = 18 + 8.2 * Math.max(...axis.map((one) => label(one).length)), right = 14;
    const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "compared", role: "img", "aria-label": `${title}. ${sentences(found).join(" ")}` });
    head.forEach((text, i) => picture.append(drawn("text", { x: 8, y: 20 + 20 * i, class: "title" }, text)));
    names.forEach((rows, i) => {
      picture.append(drawn("path", { d: MARKS[i], transform: `translate(16 ${at[i] + 3})`, class: `mark c${i}` }));
      const own = rows.map((text, row) => drawn("tspan", { x: 30, y: at[i] + 8 + 20 * row }, row < rows.length - 1 ? `${text} ` : text));
      picture.append(drawn("text", { class: "name" }, ...own));
    });
    const y = (value) => top + plot * (1 - (value - least) / (most - least)), slots = single ? lines.length : moments.length;
    const slot = (width - left - right) / slots, x = (i) => left + (i + 0.5) * slot;
    for (const value of axis) {
      picture.append(drawn("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "rule" }));
      picture.append(drawn("text", { x: left - 8, y: y(value) + 5, class: "end" }, label(value)));
    }
    const every = Math.ceil(moments.length / Math.max(2, Math.floor((width - left - right) / 110)));
    if (!single) moments.forEach((moment, i) => {
      if (i % every === 0) picture.append(drawn("text", { x: clamp(x(i), left + 36, width - 44), y: height - 10, class: "middle" }, moment.label));
    });
    lines.forEach((line, which) => {
      const group = drawn("g", { class: `line c${which}` }), aside = (which - (lines.length - 1) / 2) * Math.min(7, slot / (lines.length + 1));
      const points = single ? [{ ...line.whole, at: x(which) }] : line.moments.map((moment, i) => ({ ...moment, at: x(i) + aside }));
      const known = points.map((point) => (point.answer ? `${point.at.toFixed(1)} ${y(point.answer.value).toFixed(1)}` : null));
      let path = "";
      known.forEach((point, i) => { if (point) path += (i && known[i - 1] ? "L" : "M") + point; });
      if (!single) group.append(drawn("path", { d: path, class: "path" }));
      for (const point of points) {
        if (!point.answer) continue;
        const { value, lower, upper } = point.answer, top_ = Number.isFinite(upper) ? upper : most, low = Number.isFinite(lower) ? lower : least;
        group.append(drawn("line", { x1: point.at, x2: point.at, y1: y(low), y2: y(top_), class: "interval" }));
        group.append(drawn("path", { d: MARKS[which], transform: `translate(${point.at.toFixed(1)} ${y(value).toFixed(1)})${moments.length > 20 ? " scale(.65)" : ""}`, class: "mark" }));
      }
      picture.append(group);
    });
    return picture;
  }

  function sentences({ lines, places, days, declared, unit }) {
    const reference = lines.find((line) => !line.apart), told = lines.filter((line) => line.apart?.answer);
    return told.map((line) => {
      const apart = line.apart.answer, way = direction(apart, told.length), sign = way === "less" ? -1 : 1;
      const [lower, upper] = [sign * apart.lower, sign * apart.upper].sort((a, b) => a - b);
      return said(words[`is_${way}`], { name: line.name, other: reference.name, days, by: number(sign * apart.value, places) + (declared.per ? ` ${unit}` : ""), interval: range({ lower, upper }, places) });
    });
  }

  function cellsOf(one, places) {
    return one.answer ? [number(one.answer.value, places), range(one.answer, places)] : ["", one.why || ""];
  }

  function tableOf(caption, heads, rows) {
    const head = make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", class: i ? "n" : "" }, text)));
    const body = make("tbody", {}, ...rows.map(([name, ...cells]) => make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((text) => make("td", { class: "n" }, text)))));
    const made = make("table", {}, make("caption", {}, caption), make("thead", {}, head), body);
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, made);
  }

  function tables(question, found, what) {
    const { lines, places, days } = found, reference = lines.find((line) => !line.apart);
    const made = [tableOf(`${what}, ${days}`, [words.name, words.estimate, words.interval, said(words.less, { name: reference.name }), words.interval],
      lines.map((line) => [line.name, ...cellsOf(line.whole, places), ...(line.apart ? cellsOf(line.apart, places) : ["", ""])]))];
    const { moments } = lines[0];
    if (moments.length > 1) {
      const rows = moments.map((moment, i) => [moment.name, ...lines.map((line) => { const [value, interval] = cellsOf(line.moments[i], places); return value ? `${value} (${interval})` : interval; })]);
      made.push(make("details", {}, make("summary", {}, words.by_edition), tableOf(words.by_edition, [words.period, ...lines.map((line) => line.name)], rows)));
    }
    return made;
  }

  function csv(question, { lines }) {
    const reference = question.against, rows = [["statistic", "dimension", "code", "name", "less_code", "start", "end", "value", "lower_95", "upper_95", "value_unbiased", "standard_error", "editions"]];
    const add = (line, start, end, { answer }, less = "") => {
      if (answer) rows.push([question.statistic, question.by, line.code, line.name, less, start, end, ...[answer.value, answer.lower, answer.upper].map((value) => (Number.isFinite(value) ? value : "")), answer.unrounded, answer.standard_error, answer.editions.join(" ")]);
    };
    for (const line of lines) {
      add(line, question.start, question.end, line.whole);
      if (line.moments.length > 1) for (const moment of line.moments) add(line, moment.start, moment.end, moment);
      if (line.apart) add(line, question.start, question.end, line.apart, reference);
    }
    return csvFile(rows);
  }

  // The chart as a file that needs no style sheet: what is seen is written into it.
  function standalone(picture) {
    const copy = picture.cloneNode(true), size = picture.viewBox.baseVal;
    const shown = ["fill", "stroke", "stroke-width", "font-family", "font-size", "font-weight", "text-anchor", "stroke-opacity"];
    const [from, to] = [picture, copy].map((root) => [root, ...root.querySelectorAll("*")]);
    to.forEach((element, i) => { const style = getComputedStyle(from[i]); for (const name of shown) element.setAttribute(name, style.getPropertyValue(name)); element.removeAttribute("class"); });
    copy.prepend(drawn("rect", { width: size.width, height: size.height, fill: getComputedStyle(document.body).backgroundColor }));
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    return new XMLSerializer().serializeToString(copy);
  }

  async function pngOf(text, { width, height }) {
    const image = new Image(), canvas = make("canvas", { width: 2 * width, height: 2 * height });
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  }

  function python(question) {
    const side = (code) => `{${Object.entries({ ...question.where, [question.by]: [code] }).map(([name, codes]) => `${JSON.stringify(name)}: ${JSON.stringify(codes)}`).join(", ")}}`;
    const other = question.codes.find((code) => code !== question.against);
    return `import dp_stats\n\nfound = dp_stats.difference(${JSON.stringify(folder())}, ${JSON.stringify(question.statistic)},\n    of=${side(other)},\n    less=${side(question.against)},\n    start=${JSON.stringify(question.start)}, end=${JSON.stringify(question.end)})\nprint(found.value, found.lower, found.upper)`;
  }

  const titleOf = (found) => titled(found.declared) + (found.unit && !titled(found.declared).includes(found.unit) && found.declared.per ? ` ${found.unit}` : "");

  async function work() {
    const question = asked();
    result.hidden = true;
    if (question.codes.length < LEAST || question.codes.length > MOST) { note.textContent = said(words.choose, { least: LEAST, most: MOST, count: question.codes.length }); return; }
    note.textContent = words.loading;
    let found;
    try { found = await worked(question); } catch { note.textContent = words.unreachable; return; }
    if (!found.known.length) { note.textContent = found.lines[0].whole.why || words.failed; return; }
    const others = Object.entries(question.where).map(([name, codes]) => codes.map((code) => nameOf(dimensionOf(name), code)).join(", ")).join("; ");
    const what = titleOf(found) + (others ? ` (${others})` : ""), shown = address(parts(question)), small = address(parts(question), location.pathname.replace(/[^/]*$/, "embed.html"));
    const picture = chart(found, `${what}, ${found.days}`, clamp(form.clientWidth || 640, 280, 736)), text = sentences(found), name = `${about.release}-compared`;
    const today = new Date().toISOString().slice(0, 10), names = found.lines.map((line) => line.name).join(", ");
    const failed = found.lines.filter((line) => line.whole.why).map((line) => make("p", { class: "quiet" }, `${line.name}: ${line.whole.why}`));
    const frameHeight = 120 + chart(found, `${what}, ${found.days}`, 616).viewBox.baseVal.height + 58 * text.length;
    const code = `<iframe src="${small.replaceAll("&", "&amp;")}" width="640" height="${frameHeight}" style="max-width: 100%" title="${`${what}: ${names}`.replaceAll('"', "&quot;")}" loading="lazy"></iframe>`;
    result.lastElementChild.replaceChildren(
      ...text.map((one) => make("p", { class: "compared-finding" }, one)), ...failed, found.followed ? make("p", { class: "quiet" }, words.followed) : "",
      make("figure", {}, picture, make("figcaption", {}, words.chart)),
      ...tables(question, found, what));
    const files = make("p", { class: "buttons" }, download(words.csv, `${name}.csv`, csv(question, found)));
    result.lastElementChild.append(files, make("h3", {}, words.permalink), make("p", {}, make("a", { href: shown, id: "permalink" }, shown)),
      make("div", { class: "on-screen" }, make("h3", {}, words.embed), make("p", {}, words.embed_text), make("pre", { tabindex: "0" }, make("code", { id: "embed" }, code))),
      make("h3", {}, words.citation), make("p", { id: "citation" }, said(words.cite_compared, { publisher: about.publisher, title: about.title, what, names, days: found.days, address: shown, today })),
      make("h3", {}, words.python), make("pre", { tabindex: "0" }, make("code", {}, python(question))));
    result.hidden = false;
    const drawing = standalone(picture); // once it is shown, as hidden elements have no style
    files.append(download(words.svg, `${name}.svg`, new Blob([drawing], { type: "image/svg+xml" })), download(words.png, `${name}.png`, await pngOf(drawing, picture.viewBox.baseVal)));
    note.textContent = said(words.done_compared, { what, days: found.days });
    history.replaceState(null, "", shown);
  }

  function choosers(question) { // the dimension that is compared first, the others as conditions
    const place = document.getElementById("choosers"), by = field("by").value;
    const order = [dimensionOf(by), ...comparable().filter((d) => d.name !== by)];
    place.replaceChildren(...order.map((dimension) => {
      const made = chooser(dimension, dimension.name === by ? words.unticked : words.all);
      if (dimension.name === by) made.firstChild.textContent = said(words.ticks, { dimension: dimension.title || dimension.name, least: LEAST, most: MOST });
      for (const code of dimension.name === by ? question.codes : question.where[dimension.name] || []) {
        const box = made.querySelector(`input[value="${CSS.escape(code)}"]`);
        if (box) { box.checked = true; box.dispatchEvent(new Event("change", { bubbles: true })); }
      }
      return made;
    }));
    if (by) against(question.against);
  }

  function against(chosen) { // of what is ticked, the one that the others are compared with
    const by = dimensionOf(field("by").value), codes = ticked(by.name), kept = chosen || field("against").value;
    field("against").replaceChildren(...codes.map((code) => make("option", { value: code, selected: code === kept ? "" : null }, nameOf(by, code))));
  }

  async function begin() {
    const found = await released();
    if (!found) { note.textContent = words.unreachable; return; }
    ({ editions, newest } = found);
    const question = linked();
    if (frame) return embedded(question);
    if (!question.by) { note.textContent = words.no_groups; return; }
    for (const one of statistics(newest)) field("statistic").append(make("option", { value: one.id }, titled(one)));
    for (const one of comparable()) field("by").append(make("option", { value: one.name, selected: one.name === question.by ? "" : null }, one.title || one.name));
    for (const name of ["start", "end"]) { field(name).min = editions[0].start; field(name).max = editions.at(-1).end; field(name).value = question[name]; }
    if (question.statistic) field("statistic").value = question.statistic;
    choosers(question);
    form.hidden = false;
    note.textContent = "";
    field("by").addEventListener("change", () => choosers({ ...question, codes: [], where: {} }));
    form.addEventListener("change", (event) => { if (event.target.name === field("by").value) against(); });
    form.addEventListener("submit", (event) => { event.preventDefault(); work(); });
    addEventListener("hashchange", () => location.reload());
    if (question.statistic && question.codes.length >= LEAST) await work();
  }

  async function embedded(question) {
    const home = document.getElementById("source");
    home.href = address(parts(question), location.pathname.replace(/[^/]*$/, "compare.html"));
    try {
      const found = await worked(question), title = `${titleOf(found)}, ${found.days}`;
      if (!found.known.length) throw new Error(question.statistic);
      frame.replaceChildren(chart(found, title, clamp(innerWidth - 24, 280, 900)), ...sentences(found).map((one) => make("p", {}, one)));
      note.textContent = "";
    } catch { note.textContent = words.failed; }
  }

  begin();
})();
