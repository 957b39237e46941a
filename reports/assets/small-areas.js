// Areas that have no page of their own: their names are looked up in small files of those that begin alike, and the figures of the one that
// is chosen are drawn from the files of its neighbours and itself.
"use strict";

const smallAreas = (() => {
  const section = document.getElementById("area");
  if (!section) return null;
  const { about, words, said, plain, make, number, chart, dayText, csvFile, download } = ownFigures;
  const MOST_FILES = 4, MOST_YEARS = 3, MOST_MOMENTS = 120, LONGEST_KEY = 60, COLUMNS = ["value", "lower_95", "upper_95", "status", "value_unbiased"];
  const files = new Map(), plainly = (text) => plain(text).replace(/[\u2018\u2019]/g, "'");

  async function get(path) {
    if (!files.has(path)) {
      files.set(path, fetch(path).then((answer) => { if (!answer.ok) throw new Error(path); return answer.json(); }));
      files.get(path).catch(() => { files.delete(path); });
    }
    return files.get(path);
  }

  // How many of a sorted list stand before a key.
  function before(list, key) {
    let [low, high] = [0, list.length];
    while (low < high) { const middle = (low + high) >> 1; if (list[middle] < key) low = middle + 1; else high = middle; }
    return low;
  }

  const numbered = (at) => `${String(at).padStart(3, "0")}.json`;

  // Areas of the files in which a name or code that begins like this would stand.
  async function beginning(text) {
    const key = text.slice(0, LONGEST_KEY), { first } = await get(`${about.names}/index.json`);
    const from = Math.max(0, before(first, key) - 1), to = Math.min(Math.max(before(first, `${key}\uffff`), from + 1), from + MOST_FILES, first.length);
    const found = await Promise.all(Array.from({ length: to - from }, (_, i) => get(`${about.names}/${numbered(from + i)}`)));
    return [...new Map(found.flat().map((one) => [one[0], one])).values()].map(known);
  }

  function known([code, name, depth, above, people, also]) {
    const level = about.levels[depth], [parent, up] = level.parents[above] || ["", ""];
    return { code, name, level: level.title, depth, parent: parent === name ? "" : parent, up, people, href: `#area=${encodeURIComponent(code)}`, names: [[plainly(name), ""], ...also.map((one) => [plainly(one), one])] };
  }

  // What fits a search: looked up by all that was typed, or else by its longest word.
  async function search(typed, wanted, fitting) {
    for (const key of [...new Set([typed, ...[...wanted].sort((a, b) => b.length - a.length)])]) {
      const found = key.length > 1 ? fitting(await beginning(key)) : [];
      if (found.length) return found;
    }
    return [];
  }

  // The areas that hold now what a code held.
  const now = async (key, code) => (await beginning(key)).filter((area) => area.code === code || area.names.some(([, name]) => name === code));

  async function figures(area) {
    const { folder } = about.levels[area.depth], { first_codes: first, years } = await get(`${folder}/index.json`);
    const place = before(first, area.code), at = first[place] === area.code ? place : Math.max(0, place - 1);
    const paths = years.slice(-MOST_YEARS).map((year) => `${folder}/${year}/${numbered(at)}`);
    return { paths, years: await Promise.all(paths.map(get)) };
  }

  // The values of a table and metric, a row each: its days, its groups, and its figures.
  function rows(years, area, table, metric) {
    return years.flatMap((year) => {
      const told = year.tables[table], own = year.areas[area.code]?.[table]?.[metric];
      if (!told || !own) return [];
      const strata = Object.entries(told.strata), groups = strata.reduce((sum, [, codes]) => sum * codes.length, 1);
      return own.value.map((_, i) => {
        const moment = Math.floor(i / groups), row = { table, metric, codes: {}, split: strata.filter(([, codes]) => codes.length > 1).map(([name]) => name) };
        for (const [name, values] of Object.entries(told.moments)) row[name] = values[moment];
        let rest = i % groups;
        for (const [name, codes] of [...strata].reverse()) { row.codes[name] = codes[rest % codes.length]; rest = Math.floor(rest / codes.length); }
        for (const name of COLUMNS) row[name] = own[name][i];
        row.answer = row.value === null ? null : { value: row.value, lower: row.lower_95, upper: row.upper_95 === null ? Infinity : row.upper_95 };
        row.name = about.periods[row.period] || row.period;
        row.label = dayText(row.period_start, "short");
        return row;
      });
    });
  }

  const margin = ({ lower, upper }) => (upper - lower) / 2;

  // As many decimals as show one digit of the smallest margin (texts/numbers.py).
  function decimals(shown) {
    const answers = shown.map((row) => row.answer).filter(Boolean), limits = answers.flatMap(({ value, lower, upper }) => [value, lower, Number.isFinite(upper) ? upper : lower]);
    if (limits.every(Number.isInteger)) return 0;
    const margins = answers.map(margin).filter((one) => one > 0 && Number.isFinite(one));
    return margins.length ? Math.min(3, Math.max(0, -Math.floor(Math.log10(Math.min(...margins))))) : 1;
  }

  const interval = ({ lower, upper }, places) => (Number.isFinite(upper) ? `${number(lower, places)} ${words.to} ${number(upper, places)}` : said(words.or_more, { low: number(lower, places) }));
  const marks = (row) => (row.status || "").split(" ").filter((mark) => about.status[mark]).map((mark) => about.status[mark]).join(", ");
  const titled = (metric) => about.statistics[metric].title;

  function card(row, label) {
    const { unit } = about.statistics[row.metric], places = decimals([row]);
    if (!row.answer) return make("div", { class: "figure-card" }, make("h3", { class: "label" }, label), make("p", { class: "big word" }, words.unknown));
    return make("div", { class: "figure-card" }, make("h3", { class: "label" }, label),
      make("p", { class: "big", "data-metric": row.metric }, number(row.answer.value, places), " ", make("span", { class: "unit" }, unit)),
      make("p", {}, `${words.interval} `, make("span", { class: "number" }, interval(row.answer, places))), marks(row) ? make("p", { class: "quiet" }, marks(row)) : "");
  }

  function table(shown, caption, first, name) {
    const places = decimals(shown), noted = shown.some(marks), heads = [first, words.value, words.interval, ...(noted ? [words.note] : [])];
    const head = make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", class: i === 1 || i === 2 ? "n" : null }, text)));
    const body = shown.map((row) => make("tr", {}, make("th", { scope: "row" }, name(row)), make("td", { class: "n" }, row.answer ? number(row.answer.value, places) : "\u2013"),
      make("td", { class: "n" }, row.answer ? interval(row.answer, places) : "\u2013"), ...(noted ? [make("td", {}, marks(row))] : [])));
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
      make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body)));
  }

  const groupsOf = (row) => row.split.map((column) => about.strata[column]?.names[row.codes[column]] || row.codes[column]).join(", ");

  // What is known of the area, as (label, text, address).
  function facts(area) {
    const told = [[words.of, area.parent, area.up], [words.code, area.code, ""], [words.people, area.people ? number(area.people, 0) : "", ""]].filter(([, text]) => text);
    return make("dl", { class: "facts" }, ...told.map(([label, text, href]) => make("div", {}, make("dt", {}, label), make("dd", {}, href ? make("a", { href }, text) : text))));
  }

  function csv(years, area) {
    const tables = [...new Set(years.flatMap((year) => Object.keys(year.tables)))], strata = [...new Set(years.flatMap((year) => Object.values(year.tables).flatMap((one) => Object.keys(one.strata))))];
    const days = ["date", "period", "period_start", "period_end", "period_type"], lines = [["table", "metric", "geography_type", "geography_code", "geography", ...strata, ...days, ...COLUMNS]];
    for (const id of tables) {
      for (const metric of new Set(years.flatMap((year) => year.tables[id]?.metrics || []))) {
        for (const row of rows(years, area, id, metric)) lines.push([id, metric, years[0].geography_type, area.code, area.name, ...strata.map((name) => row.codes[name] || ""), ...days.map((name) => row[name]), ...COLUMNS.map((name) => row[name] ?? "")]);
      }
    }
    return csvFile(lines.map((line) => line.map(String)));
  }

  function drawing(shown, title) {
    return chart(shown.slice(-MOST_MOMENTS), title, decimals(shown), section.clientWidth, words.chart);
  }

  function more(level, years, area) {
    const made = [], fine = level.fine ? rows(years, area, level.fine, level.metric).slice(-56) : [];
    if (fine.length > 1) made.push(make("h3", {}, level.tables[level.fine]), drawing(fine, level.tables[level.fine]));
    const split = level.groups ? rows(years, area, level.groups, level.metric) : [], newest = split.filter((row) => row.period === split.at(-1).period && row.edition === split.at(-1).edition);
    if (newest.length) {
      const heading = newest[0].split.map((column) => about.strata[column]?.title || column).join(", ");
      made.push(make("h3", {}, level.tables[level.groups]), drawing(newest.map((row) => ({ ...row, name: groupsOf(row), label: groupsOf(row) })), level.tables[level.groups]),
        table(newest, `${level.tables[level.groups]}, ${newest[0].name}`, heading, groupsOf));
    }
    return made;
  }

  function page(area, { paths, years }) {
    const level = about.levels[area.depth], series = rows(years, area, level.main, level.metric), latest = series.at(-1), rate = level.rate ? rows(years, area, level.main, level.rate).at(-1) : null;
    if (!latest) return [make("p", {}, said(words.no_area, { code: area.code }))];
    const what = said(words.series, { what: titled(level.metric), area: area.name }), places = decimals(series), recent = series.slice(-12).filter((row) => row.answer).map((row) => margin(row.answer)).filter(Number.isFinite).sort((a, b) => a - b);
    const value = latest.answer ? number(latest.answer.value, places) : "", typical = recent[Math.floor(recent.length / 2)], compare = new URLSearchParams({ by: about.compare, code: area.code });
    const lead = said(latest.answer ? words.finding : words.no_value, { what, period: latest.name, value, interval: latest.answer ? interval(latest.answer, places) : "" });
    const shown = [...series].reverse().slice(0, MOST_MOMENTS), all = said(words.all, { area: area.name });
    return [
      make("p", { class: "lead" }, lead), facts(area),
      make("div", { class: "figures" }, card(latest, `${titled(level.metric)}, ${latest.name}`), rate ? card(rate, titled(level.rate)) : ""),
      about.left_out ? make("p", { class: "left-out" }, about.left_out) : "",
      typical ? make("p", { class: "quiet" }, said(words.noise, { margin: number(Number(typical.toPrecision(2)), typical >= 10 ? 0 : places) })) : "",
      drawing(series, what), ...more(level, years, area), make("h3", {}, all), table(shown, what, words.when, (row) => row.name),
      make("p", { class: "buttons" }, download(said(words.download, { area: area.name }), `${about.release}-${area.code}.csv`, csv(years, area))),
      make("ul", {}, ...(about.compare ? [make("li", {}, make("a", { href: `compare.html#${compare}` }, words.compare))] : []), ...paths.map((path) => make("li", {}, make("a", { href: path, download: "" }, words.data))),
        make("li", {}, make("a", { href: area.href, id: "permalink" }, words.permalink))),
    ];
  }

  let turn = 0;

  async function show(code) {
    const own = ++turn, heading = section.querySelector("h2"), told = document.getElementById("told");
    told.textContent = words.loading;
    try {
      const area = (await now(plainly(code), code))[0], found = area && await figures(area);
      if (own !== turn) return; // another was chosen since
      told.textContent = area ? "" : said(words.no_area, { code });
      section.hidden = !area;
      if (!area) return;
      heading.textContent = area.name;
      section.lastElementChild.replaceChildren(...page(area, found));
      document.getElementById("found").replaceChildren();
      heading.focus();
      heading.scrollIntoView({ block: "start" });
    } catch { if (own === turn) told.textContent = words.unreachable; }
  }

  const hide = () => { turn += 1; section.hidden = true; };
  return { search, now, show, hide };
})();
