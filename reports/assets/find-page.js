// Finds an area by name, former name, what it is part of, postcode, or where the reader is. All is looked up on the reader's own device;
// of a postcode the server learns the beginning, as that names the file that is asked for.
"use strict";

(() => {
  const form = document.getElementById("find");
  if (!form) return;
  const { words } = JSON.parse(document.getElementById("about").textContent), MOST = 30, NEAREST = 5;
  const input = document.getElementById("q"), list = document.getElementById("found"), told = document.getElementById("told");
  const said = (text, values = {}) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
  const plainly = (text) => plain(text).replace(/[\u2018\u2019]/g, "'");
  const small = typeof smallAreas === "undefined" ? null : smallAreas; // areas without a page of their own, where there are any
  let areas = [], byCode = new Map(), replaced = {}, postcodes = null, turn = 0;

  // The areas that hold now what a code held, also over several changes.
  function now(code, seen = new Set()) {
    if (byCode.has(code)) return [byCode.get(code)];
    if (seen.has(code)) return [];
    seen.add(code);
    return (replaced[code] || []).flatMap((next) => now(next, seen));
  }

  async function load() {
    const given = await (await fetch("areas/places.json")).json();
    areas = given.areas.map(([code, name, level, parent, href, longitude, latitude]) => ({ code, name, level, parent, href, longitude, latitude, names: [[plainly(name), ""]] }));
    byCode = new Map(areas.map((area) => [area.code, area]));
    ({ replaced, postcodes } = given);
    for (const [code, names] of Object.entries(given.former)) for (const area of now(code)) for (const name of names) area.names.push([plainly(name), name]);
    for (const code of Object.keys(replaced)) for (const area of now(code)) area.names.push([plainly(code), code]);
  }

  const begins = (name, word) => name.startsWith(word) || name.includes(` ${word}`) || name.includes(`-${word}`);

  // How well an area fits what was typed: the smaller the better; null where it does not.
  function fit(area, typed, wanted) {
    let best = null;
    for (const [name, was] of area.names) {
      if (!wanted.every((word) => name.includes(word))) continue;
      const own = (name === typed ? 0 : name.startsWith(typed) ? 1 : wanted.every((word) => begins(name, word)) ? 2 : 3) + (was ? 4 : 0);
      if (!best || own < best.own) best = { own, was };
    }
    if (best) return best;
    if (plainly(area.code) === typed) return { own: 0, was: "" };
    return wanted.every((word) => begins(plainly(area.parent), word)) ? { own: 9, was: "" } : null;
  }

  async function byName(text) {
    const typed = plainly(text.trim()), wanted = typed.split(/\s+/).filter(Boolean);
    if (!wanted.length) return [];
    const fitting = (those) => those.map((area) => ({ area, ...fit(area, typed, wanted) })).filter((one) => one.own !== undefined);
    const found = fitting(areas).concat(small ? await small.search(typed, wanted, fitting) : []);
    return found.sort((a, b) => a.own - b.own || a.area.name.localeCompare(b.area.name));
  }

  const looksLikePostcode = (text) => /^[0-9A-Za-z][0-9A-Za-z -]{2,}$/.test(text.trim()) && /[0-9]/.test(text);

  async function byPostcode(text) {
    const whole = text.toUpperCase().replace(/[^0-9A-Z]/g, ""), begin = whole.slice(0, -postcodes.kept_back), end = whole.slice(-postcodes.kept_back);
    if (!begin) return [];
    const answer = await fetch(`${postcodes.folder}/${begin}.json`);
    if (!answer.ok) return [];
    const known = await answer.json();
    const codes = Object.keys(known).filter((code) => known[code].includes(end));
    const found = await Promise.all(codes.map(async (code) => [...now(code), ...(small ? await small.now(plainly(code), code) : [])]));
    return found.flat().map((area) => ({ area, was: "" }));
  }

  function show(found, text) {
    list.replaceChildren(...found.slice(0, MOST).map(({ area, was, away }) => {
      const item = document.createElement("li"), link = document.createElement("a"), more = document.createElement("span");
      link.href = area.href;
      link.textContent = area.name;
      more.className = "quiet small";
      const parts = [area.level, area.parent && said(words.part_of, { parent: area.parent }), was && said(words.was, { name: was })];
      if (away !== undefined) parts.push(said(words.away, { distance: Math.round(away) }));
      more.textContent = parts.filter(Boolean).join(" \u00b7 ");
      item.append(link, " ", more);
      return item;
    }));
    told.textContent = text;
  }

  const counted = (found) => said(found.length === 1 ? words.one : found.length > MOST ? words.many : words.some, { count: found.length, most: MOST });

  async function type() {
    const own = ++turn, code = looksLikePostcode(input.value);
    let found;
    try { found = await byName(input.value); } catch { return show([], words.unreachable); }
    if (own !== turn) return undefined; // more was typed since
    if (!input.value.trim()) return show([], "");
    return show(found, found.length ? counted(found) : code ? (postcodes ? words.press : words.no_postcodes) : words.none);
  }

  async function search(go) {
    const own = ++turn;
    let found;
    try { found = await byName(input.value); } catch { return show([], words.unreachable); }
    if (own !== turn) return undefined;
    const code = !found.length && looksLikePostcode(input.value);
    if (code && postcodes) {
      try { found = await byPostcode(input.value); } catch { return show([], words.unreachable); }
    }
    if (go && found.length === 1) { location.href = found[0].area.href; return undefined; }
    return show(found, found.length ? counted(found) : code ? (postcodes ? words.unknown_postcode : words.no_postcodes) : words.none);
  }

  // The way along the earth's surface, in kilometres.
  function distance(one, other) {
    const turn = Math.PI / 180, [a, b] = [one.latitude * turn, other.latitude * turn];
    const half = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin((other.longitude - one.longitude) * turn / 2) ** 2;
    return 2 * 6371 * Math.asin(Math.sqrt(half));
  }

  function near() {
    if (!navigator.geolocation) { told.textContent = words.no_location; return; }
    told.textContent = words.locating;
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      const known = areas.filter((area) => area.longitude !== null && area.latitude !== null);
      const found = known.map((area) => ({ area, was: "", away: distance(coords, area) })).sort((a, b) => a.away - b.away);
      show(found.slice(0, NEAREST), words.nearest);
    }, () => { told.textContent = words.no_location; }, { maximumAge: 600000, timeout: 20000 });
  }

  function arrived() {
    const given = new URLSearchParams(location.hash.slice(1)), asked = given.get("q"), area = given.get("area");
    if (asked) { input.value = asked; search(false); }
    if (area && small) small.show(area); else small?.hide();
  }

  load().then(() => {
    form.hidden = false;
    input.addEventListener("input", type);
    form.addEventListener("submit", (event) => { event.preventDefault(); search(true); });
    document.getElementById("near")?.addEventListener("click", near);
    addEventListener("hashchange", arrived);
    arrived();
    if (!small || !location.hash.includes("area=")) input.focus();
  }, () => { told.textContent = words.unreachable; });
})();
