// What pages share on which readers make figures of their own: loading measurements, ticking cells, and writing numbers and files.
"use strict";

const ownFigures = (() => {
  const given = document.getElementById("about"), about = given ? JSON.parse(given.textContent) : { words: {} }, words = about.words, labels = about.labels || {};
  const locale = (about.locale || document.documentElement.lang).replace("_", "-"), files = new Map();
  const said = (text, values = {}) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
  const plain = (text) => text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
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

  async function load(path) {
    if (!files.has(path)) {
      files.set(path, fetch(`${about.root}${path}/combine.json`).then((answer) => {
        if (answer.ok) return answer.json();
        if (answer.status === 404 || answer.status === 403) return null;
        files.delete(path);
        throw new Error(path);
      }));
    }
    return files.get(path);
  }

  function chooser(dimension, none = words.all) {
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
    const count = make("p", { class: "quiet small" }, none);
    box.addEventListener("change", () => {
      const ticked = [...list.querySelectorAll("input:checked")].map((one) => one.parentElement.textContent.trim());
      count.textContent = ticked.length ? said(words.ticked, { count: ticked.length > 5 ? ticked.length : ticked.join(", ") }) : none;
    });
    box.append(list, count);
    return box;
  }

  // The newest edition's measurements with everything called as in the page's language.
  function labelled(file) {
    if (!labels.statistics) return file;
    const named = (one) => { const own = labels.statistics[one.id]; return own ? { ...one, title: own.title, unit: own.unit } : one; };
    const dimensions = file.dimensions.map((dimension) => {
      const own = labels.dimensions[dimension.name];
      if (!own) return dimension;
      const levels = dimension.levels.map((level) => {
        const said = own.levels[level.name];
        return said ? { ...level, title: said.title, names: level.codes.map((code, at) => said.names[code] || level.names[at]) } : level;
      });
      return { ...dimension, title: own.title, levels };
    });
    return { ...file, dimensions, release: { ...file.release, statistics: file.release.statistics.map(named), derived: file.release.derived.map(named) } };
  }

  // The editions of the release, and the newest one's measurements; null where they cannot be loaded.
  async function released() {
    try {
      const { editions } = await (await fetch(`${about.root}${about.release}/history/index.json`)).json();
      const newest = await load(editions.at(-1).path);
      return newest && { editions: editions.map((one) => ({ ...one, title: (labels.periods || {})[one.path] || one.title })), newest: labelled(newest) };
    } catch { return null; }
  }

  // The measurements of the editions with a day from the first to the last.
  async function between(editions, start, end) {
    const wanted = editions.filter((e) => e.start <= end && e.end >= start);
    return (await Promise.all(wanted.map((e) => load(e.path)))).map((file, i) => ({ file, edition: wanted[i] })).filter((one) => one.file);
  }

  const statistics = (newest) => [...newest.release.statistics, ...newest.release.derived.filter((d) => d.kind === "rate" || d.kind === "mean")];
  const titled = (one) => one.title || one.id;
  const nameOf = (dimension, code) => { const level = dimension.levels.find((l) => l.codes.includes(code)); return level ? level.names[level.codes.indexOf(code)] : code; };

  // The part of an edition's days that was asked for, and its name.
  function share(edition, question) {
    const start = edition.start > question.start ? edition.start : question.start, end = edition.end < question.end ? edition.end : question.end;
    const whole = start === edition.start && end === edition.end;
    return { name: whole ? edition.title : daysText({ start, end }), label: dayText(edition.start, "short"), start, end };
  }

  const digits = (answer, counts) => (counts ? 0 : Math.min(Math.max(Math.ceil(1 - Math.log10(answer.standard_error || 1)), 0), 6));
  // Browsers do not know every language: the page says how it writes days, and with which signs numbers.
  const spoken = Intl.NumberFormat.supportedLocalesOf(locale).length ? locale : "en", signs = spoken === locale ? {} : { ",": about.signs.group, ".": about.signs.decimal };
  const number = (value, places) => (Number.isFinite(value) ? new Intl.NumberFormat(spoken, { minimumFractionDigits: places, maximumFractionDigits: places, signDisplay: "negative" }).format(value).replace(/[.,]/g, (sign) => signs[sign] || sign).replace("-", "\u2212") : "");
  const dayText = (iso, style = "long") => { const [year, month, day] = iso.split("-").map(Number); return said(about.days[style][month - 1], { year, day }); };
  const daysText = ({ start, end }) => {
    if (start === end) return dayText(start);
    const shared = start.slice(0, 7) === end.slice(0, 7) ? "month" : start.slice(0, 4) === end.slice(0, 4) ? "year" : "nothing";
    const first = shared === "month" ? Number(start.slice(8)) : dayText(start, shared === "year" ? "no_year" : "long");
    return said(about.days.spans[shared], { first, start: dayText(start), end: dayText(end) });
  };
  const errorText = (error) => {
    if (!(error instanceof dpStats.NotDerivable)) return words.failed;
    const { key, values } = JSON.parse(error.message);
    return said(words.refused[key] || words.failed, values);
  };

  const range = (answer, places) => `${Number.isFinite(answer.lower) ? number(answer.lower, places) : words.unbounded} ${words.to} ${number(answer.upper, places) || words.unbounded}`;
  const line = (cells) => cells.map((text) => (/[",\r\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text)).join(",");
  const download = (text, name, content) => make("a", { class: "button plain", download: name, href: URL.createObjectURL(content) }, text);
  const csvFile = (lines) => new Blob([lines.map(line).join("\r\n") + "\r\n"], { type: "text/csv" });
  const address = (parts, page = location.pathname) => `${location.origin}${page}#${parts}`; // what stands behind # is not sent to any server
  const folder = () => new URL(`${about.root}${about.release}`, location.href).href;

  // Round values along an axis from the least to the most, about four of them.
  function ticks(least, most) {
    const raw = (most - least) / 4, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw * (1 - 1e-12));
    const first = Math.floor(least / step + 1e-9), last = Math.ceil(most / step - 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }

  // Dots with their intervals, along time or side by side; nothing of fewer than two.
  function chart(rows, title, places, room, caption) {
    const known = rows.filter((row) => row.answer);
    if (known.length < 2) return "";
    const width = clamp(room || 640, 280, 736), height = 260, left = 64, bottom = 40, top = 12;
    const most = Math.max(...known.map((r) => (Number.isFinite(r.answer.upper) ? r.answer.upper : r.answer.value)));
    const least = Math.min(0, ...known.map((r) => r.answer.lower));
    const x = (i) => left + (i + 0.5) * (width - left - 8) / rows.length;
    const axis = ticks(least, most > least ? most : least + 1), [low, high] = [axis[0], axis.at(-1)];
    const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
    const words_ = known.map((r) => `${r.name}: ${number(r.answer.value, places)} (${number(r.answer.lower, places)}–${number(r.answer.upper, places)})`).join("; ");
    const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "combined", role: "img", "aria-label": `${title}. ${words_}` });
    for (const value of axis) {
      picture.append(drawn("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: "rule" }));
      picture.append(drawn("text", { x: left - 8, y: y(value) + 5, class: "end" }, number(value, axis.some((one) => !Number.isInteger(one)) ? places || 1 : 0)));
    }
    const every = Math.ceil(rows.length / Math.max(2, Math.floor((width - left) / 110)));
    rows.forEach((row, i) => {
      if (i % every === 0) picture.append(drawn("text", { x: clamp(x(i), left + 36, width - 44), y: height - 14, class: "middle" }, row.label));
      if (!row.answer) return;
      const upper = Number.isFinite(row.answer.upper) ? row.answer.upper : most;
      picture.append(drawn("line", { x1: x(i), x2: x(i), y1: y(row.answer.lower), y2: y(upper), class: "interval" }));
      picture.append(drawn("circle", { cx: x(i), cy: y(row.answer.value), r: rows.length > 30 ? 3 : 4.5 }));
    });
    const figure = make("figure", {}, picture);
    figure.append(make("figcaption", {}, caption));
    return figure;
  }

  return {
    about, words, said, plain, clamp, make, drawn, load, chooser, released, between, statistics, titled, nameOf, share, digits, number, errorText, range, daysText,
    ticks, chart, dayText, csvFile, download, address, folder,
  };
})();
