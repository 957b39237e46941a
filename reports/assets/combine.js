// Any sum of cells and days, from the noisy measurements of a release: what dp_stats.combine does, in the reader's own browser.
// The numbers come first (they need no page); what draws them is below.
"use strict";

const dpStats = (() => {
  class NotDerivable extends Error {}
  const refuse = (key, values = {}) => { throw new NotDerivable(JSON.stringify({ key, values })); };
  const fraction = (text) => { const [top, bottom] = String(text).split("/"); return Number(top) / Number(bottom || 1); };
  const day = (text) => Math.round(Date.parse(text + "T00:00:00Z") / 86400000);
  const isoDay = (number) => new Date(number * 86400000).toISOString().slice(0, 10);
  const clip = (value, low, high) => Math.min(Math.max(value, low), high);
  const halfEven = (value) => { const down = Math.floor(value), rest = value - down; return rest < 0.5 ? down : rest > 0.5 ? down + 1 : down % 2 ? down + 1 : down; };
  const settled = (value) => halfEven(value * 1e6) / 1e6;
  const sum = (values) => { let total = 0; for (const value of values) total += value; return total; };

  // The law of an error: weighted draws of discrete noise, by their characteristic functions.
  const POINTS = 16384, REACH = 12, SMEAR = 4, KINDS = 160, CLOSE = 0.5, LEVEL = 0.95;
  const STEP = 2 * REACH / POINTS;

  function transformed(real) { // the real part of the discrete Fourier transform of real numbers
    const n = real.length, re = Float64Array.from(real), im = new Float64Array(n);
    for (let i = 1, j = 0; i < n; i++) {
      let bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) { const kept = re[i]; re[i] = re[j]; re[j] = kept; }
    }
    for (let size = 2; size <= n; size <<= 1) {
      const half = size >> 1;
      for (let k = 0; k < half; k++) {
        const c = Math.cos(2 * Math.PI * k / size), s = -Math.sin(2 * Math.PI * k / size);
        for (let i = k; i < n; i += size) {
          const j = i + half, x = re[j] * c - im[j] * s, y = re[j] * s + im[j] * c;
          re[j] = re[i] - x; im[j] = im[i] - y; re[i] += x; im[i] += y;
        }
      }
    }
    return re;
  }

  function characteristic(draws, angle) {
    const turned = Math.abs(draws.weight) * angle, scale = draws.scale;
    if (draws.laplace) {
      const ratio = Math.exp(-1 / scale), short = (1 - ratio) ** 2;
      return short / (short + 4 * ratio * Math.sin(turned / 2) ** 2);
    }
    if (scale > 1) {
      const round = 2 * Math.PI, nearest = Math.abs((turned + Math.PI) % round - Math.PI);
      const near = Math.exp(-0.5 * (scale * nearest) ** 2);
      if (scale > 3) return near;
      const beside = [-round, round].map((turn) => Math.exp(-0.5 * (scale * (nearest + turn)) ** 2));
      return (near + beside[0] + beside[1]) / (1 + 2 * Math.exp(-0.5 * (round * scale) ** 2));
    }
    let top = 1, bottom = 1;
    for (let k = 1; k < Math.ceil(9 * scale) + 2; k++) {
      const chance = Math.exp(-(k ** 2) / (2 * scale ** 2));
      top += 2 * chance * Math.cos(k * turned);
      bottom += 2 * chance;
    }
    return top / bottom;
  }

  class Law {
    constructor(beyond) { this.beyond = beyond; }
    reach(tail) {
      let low = 0, high = this.beyond.length;
      while (low < high) { const middle = (low + high) >> 1; if (this.beyond[middle] <= tail) high = middle; else low = middle + 1; }
      return STEP * Math.min(low + SMEAR, this.beyond.length - 1);
    }
    get twoSided() { return this.two ??= this.reach((1 - LEVEL) / 2); }
    get rejected() {
      if (this.known) return this.known;
      const two = this.twoSided, half = (1 - LEVEL) / 2, deep = STEP * (this.beyond.length - 1);
      const truth = [], low = [], high = [];
      for (let i = 0; i <= 200; i++) {
        const at = two * i / 200, below = half * clip((at - CLOSE) / Math.max(two - CLOSE, 1e-9), 0, 1);
        truth.push(at);
        high.push(Math.max(high.at(-1) ?? -Infinity, at + this.reach(1 - LEVEL - below)));
        low.push(Math.max(low.at(-1) ?? -Infinity, below > 0 ? at - this.reach(Math.max(below, 1e-12)) : -deep));
      }
      return (this.known = { truth, low, high });
    }
    interval(centre, error, low) {
      const two = this.twoSided;
      if (low === -Infinity) return [centre - two * error, centre + two * error];
      if (!(error > 0)) return [Math.max(centre, low), Math.max(centre, low)];
      const y = (centre - low) / error, known = this.rejected;
      const lower = Math.max(y >= 2 * two ? y - two : between(y, known.high, known.truth), y - two);
      const upper = y >= 0 ? y + two : Math.max(between(y, known.low, known.truth), CLOSE);
      return [low + lower * error, low + upper * error];
    }
  }

  function between(x, xs, ys) { // linear interpolation, constant beyond the ends; of equal places the last
    if (x < xs[0]) return ys[0];
    let low = 0, high = xs.length;
    while (low < high) { const middle = (low + high) >> 1; if (xs[middle] <= x) low = middle + 1; else high = middle; }
    const i = low - 1;
    if (i >= xs.length - 1) return ys[xs.length - 1];
    return ys[i] + (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) * (x - xs[i]);
  }

  function lawOf(draws) {
    const size = (d) => d.count * d.weight ** 2 * d.variance, total = sum(draws.map(size));
    if (total <= 0) return normalLaw();
    const kept = draws.filter((d) => size(d) > 1e-9 * total).sort((a, b) => size(b) - size(a)).slice(0, KINDS);
    const rest = Math.max(1 - sum(kept.map(size)) / total, 0), root = Math.sqrt(total);
    const spectrum = new Float64Array(POINTS);
    for (let k = 0; k <= POINTS / 2; k++) {
      const angle = 2 * Math.PI * k / (POINTS * STEP);
      let log = -0.5 * (rest + STEP ** 2) * angle ** 2;
      for (const d of kept) { if (log < -745) break; log += d.count * Math.log(Math.max(characteristic(d, angle / root), 1e-300)); }
      spectrum[k] = Math.exp(log);
      if (k && k < POINTS / 2) spectrum[POINTS - k] = spectrum[k];
    }
    const mass = transformed(spectrum).map((value) => Math.max(value / POINTS, 0)), all = sum(mass);
    const beyond = new Float64Array(POINTS / 2);
    for (let i = POINTS / 2 - 2; i >= 0; i--) beyond[i] = beyond[i + 1] + mass[i + 1] / all;
    return new Law(beyond);
  }

  function upperTail(x) { // of the normal law, by a continued fraction far out and a series near the middle
    if (x < 3) {
      let term = x, total = x;
      for (let k = 1; k < 200; k++) { term *= x * x / (2 * k + 1); total += term; if (term < 1e-17 * total) break; }
      return 0.5 - total * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    }
    let tail = 0;
    for (let k = 80; k > 0; k--) tail = k / (x + tail);
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) / (x + tail);
  }

  let normal = null;
  function normalLaw() {
    return (normal ??= new Law(Float64Array.from({ length: POINTS / 2 }, (_, i) => upperTail(STEP * i))));
  }

  // Least squares of one statistic of one edition.
  class Fit {
    constructor(file, statistic) {
      const leaf = file.leaves[statistic];
      this.file = file;
      this.statistic = file.release.statistics.find((one) => one.id === statistic);
      this.axes = file.dimensions.map((dimension) => {
        const fine = dimension.levels.find((level) => level.name === leaf[dimension.name]);
        const first = [];
        fine.group.forEach((group, at) => { first[group] ??= at; });
        return { dimension, fine, first, size: fine.codes.length };
      });
      this.cells = this.axes.reduce((all, axis) => all * axis.size, 1);
      const own = file.plan.measurements.filter((m) => m.statistic === statistic && m.role === "statistic");
      this.unit = fraction(own[0].unit);
      this.draws = 1;
      const key = (m) => JSON.stringify(file.dimensions.map((d) => m.levels[d.name]));
      const values = new Map(own.map((m) => [m.id, Float64Array.from(file.noisy[m.id])]));
      for (const late of file.late) {
        const same = new Map(late.measurements.filter((m) => m.role === "late_statistic" && m.statistic === statistic).map((m) => [key(m), m]));
        const found = own.filter((m) => same.has(key(m)));
        if (found.length) this.draws += 1;
        for (const m of found) late.noisy[same.get(key(m)).id].forEach((value, at) => { values.get(m.id)[at] += value; });
      }
      this.levels = own.map((m) => ({
        index: this.index(m.levels), size: m.shape.reduce((a, b) => a * b, 1), precision: 1 / file.variances[m.id],
        variance: file.variances[m.id], scale: m.scale, laplace: m.epsilon !== null, values: values.get(m.id),
      }));
      const late = file.late_rows[statistic];
      this.late = late && { ...late, index: this.index(late.levels), axes: this.axes.map((axis) => this.groups(axis, late.levels[axis.dimension.name])) };
      this.factors = file.factors[statistic].map((factors) => ({
        ...factors, index: this.index(factors.levels),
        axes: this.axes.map((axis) => this.groups(axis, factors.levels[axis.dimension.name])),
      }));
    }
    groups(axis, name) { // of each leaf of the fit, its group at a level
      const level = axis.dimension.levels.find((one) => one.name === name);
      return { of: axis.first.map((at) => level.group[at]), size: level.codes.length };
    }
    index(levels) { // of each cell of the fit, the cell of a coarser table that holds it
      let index = new Int32Array(1), size = 1;
      for (const axis of this.axes) {
        const { of, size: groups } = this.groups(axis, levels[axis.dimension.name]), next = new Int32Array(size * axis.size);
        for (let i = 0; i < size; i++) for (let j = 0; j < axis.size; j++) next[i * axis.size + j] = index[i] * groups + of[j];
        index = next; size *= axis.size;
      }
      return index;
    }
    summed(level, values) {
      const total = new Float64Array(level.size);
      for (let i = 0; i < values.length; i++) total[level.index[i]] += values[i];
      return total;
    }
    normalMatrix(values) {
      const out = new Float64Array(this.cells);
      for (const level of this.levels) {
        const total = this.summed(level, values);
        for (let i = 0; i < out.length; i++) out[i] += level.precision * total[level.index[i]];
      }
      return out;
    }
    solve(goal) { // conjugate gradients: few steps, as the matrix has few different eigenvalues
      const dot = (a, b) => { let total = 0; for (let i = 0; i < a.length; i++) total += a[i] * b[i]; return total; };
      const x = new Float64Array(this.cells), r = Float64Array.from(goal);
      const size = dot(goal, goal);
      let p = Float64Array.from(goal), rest = size;
      for (let step = 0; step < 2000 && rest > 1e-26 * size; step++) {
        const through = this.normalMatrix(p), along = dot(p, through);
        if (!(along > 0)) break;
        const length = rest / along;
        for (let i = 0; i < x.length; i++) { x[i] += length * p[i]; r[i] -= length * through[i]; }
        const next = dot(r, r), turn = next / rest;
        for (let i = 0; i < p.length; i++) p[i] = r[i] + turn * p[i];
        rest = next;
      }
      return { x, unseen: size > 0 ? rest / size : 0 };
    }
    get leaves() {
      if (this.known) return this.known;
      const goal = new Float64Array(this.cells);
      for (const level of this.levels) for (let i = 0; i < goal.length; i++) goal[i] += level.precision * level.values[level.index[i]];
      return (this.known = this.solve(goal).x.map((value) => value * this.unit));
    }
    outer(rows) { // the product of weights along each axis
      let all = Float64Array.of(1);
      rows.forEach((row) => {
        const next = new Float64Array(all.length * row.length);
        for (let i = 0; i < all.length; i++) for (let j = 0; j < row.length; j++) next[i * row.length + j] = all[i] * row[j];
        all = next;
      });
      return all;
    }
    noise(weights) { // variance, and the draws that the error is made of
      const { x, unseen } = this.solve(weights);
      if (unseen > 1e-9) return { variance: Infinity, draws: [] };
      let variance = 0;
      const draws = [];
      for (const level of this.levels) {
        const covariance = this.summed(level, x), kinds = new Map();
        let largest = 1e-300;
        for (const value of covariance) { variance += level.precision * value * value; largest = Math.max(largest, Math.abs(value) / level.variance); }
        for (const value of covariance) {
          const size = Math.abs(value) / level.variance;
          if (size > 1e-9 * largest) { const kind = halfEven(Math.log(size) * 1000); kinds.set(kind, (kinds.get(kind) || 0) + 1); }
        }
        for (const [kind, count] of kinds) draws.push({ weight: Math.exp(kind / 1000), count: count * this.draws, scale: level.scale, variance: level.variance, laplace: level.laplace });
      }
      return { variance: variance * this.unit ** 2 * this.draws, draws };
    }
    get lowest() { return this.statistic.kind === "sum" && fraction(this.statistic.lower ?? 0) < 0 ? -Infinity : 0; }
    get rowSize() {
      return this.statistic.kind === "sum" ? Math.max(...[this.statistic.lower, this.statistic.upper].filter((end) => end !== null).map((end) => Math.abs(fraction(end)))) : 1;
    }
    // Late rows that are known in coarse cells: leaves with them, and of a sum its variance, doubt, chance and draws.
    get counted() {
      if (!this.late) return this.leaves;
      if (this.together) return this.together;
      const { late, kept, share, index } = this.late, size = new Float64Array(share.length);
      for (const at of index) size[at] += 1;
      return (this.together = this.leaves.map((value, i) => {
        const at = index[i];
        return value * (1 + share[at]) + (late[at] - share[at] * kept[at]) / size[at];
      }));
    }
    // What weights hold of each coarse cell of late rows: rows beyond those of a like spread, and of its leaves.
    held(weights) {
      const { index, kept, share } = this.late, many = share.length;
      const inside = new Float64Array(many), part = new Float64Array(many), size = new Float64Array(many), touched = new Uint8Array(many);
      for (let i = 0; i < weights.length; i++) {
        const at = index[i];
        size[at] += 1;
        if (weights[i]) { inside[at] += weights[i] * this.leaves[i]; part[at] += weights[i]; touched[at] = 1; }
      }
      part.forEach((one, at) => { part[at] = one / size[at]; });
      return { inside, part, touched, unlike: inside.map((one, at) => one - part[at] * kept[at]) };
    }
    // The noise of a sum with its late rows: variance and draws; of weights that may be negative.
    lateNoise(weights, before, draws) {
      const { index, share, follows, lean, late_variance, whole_variance, tables } = this.late, many = share.length;
      const { inside, part, touched, unlike } = this.held(weights), taken = new Float64Array(many);
      let fromLate = 0, leaning = 0, least = Infinity;
      for (let at = 0; at < many; at++) {
        least = Math.min(least, lean[at] ** 2);
        if (!touched[at]) continue;
        const weight = part[at] + follows[at] * unlike[at];
        fromLate += weight ** 2 * late_variance[at];
        taken[at] = weight * share[at];
        leaning += lean[at] * unlike[at];
      }
      const grown = weights.map((weight, i) => weight * (1 + share[index[i]]));
      let fromRows = this.noise(grown.map((weight, i) => weight - taken[index[i]])).variance;
      if (!Number.isFinite(fromRows)) { // it is not known how the sum's rows lie in coarse cells
        let above = 0, below = 0;
        for (let at = 0; at < many; at++) { const rows = Math.max(touched[at] ? inside[at] : 0, 0); above += rows * share[at]; below += rows; }
        const mean = below > 0 ? above / below : sum(share) / many;
        fromRows = before * (1 + mean) ** 2 + this.noise(weights.map((_, i) => taken[index[i]])).variance;
      }
      fromRows = Math.max(fromRows, 0);
      const times = before > 0 ? Math.sqrt(fromRows / before) : 1;
      const weight = halfEven(Math.sqrt(fromLate / (sum(late_variance) / many)) / times * 100) / 100;
      return {
        variance: fromRows + fromLate + Math.max(leaning ** 2 - least * before, 0) * whole_variance,
        draws: [...draws, ...tables.map((table) => ({ ...table, weight }))],
      };
    }
    // How cells differ in their share of late rows: the doubt, and the chance of which cell a row falls in; of weights without signs.
    lateDoubt(side) {
      const { kept, share, lean, late, axes, between, spread } = this.late, { inside, part, touched, unlike } = this.held(side.weights);
      let off = 0, own = 0, left = 0, least = Infinity, smallest = Infinity;
      for (let at = 0; at < share.length; at++) {
        least = Math.min(least, lean[at] ** 2); smallest = Math.min(smallest, share[at] ** 2);
        if (!touched[at]) continue;
        off += (lean[at] * unlike[at]) ** 2;
        own += share[at] * inside[at];
        left += part[at] * (late[at] - share[at] * kept[at]);
      }
      const before = side.before ?? this.noise(side.weights).variance, finer = side.rows.some((row, along) => splits(row, axes[along].of));
      const drawn = between * Math.max(off - least * before, 0), differ = finer ? Math.max(own ** 2 - smallest * before, 0) : 0;
      return { doubt: Math.sqrt(spread ** 2 * differ + drawn), chance: finer ? Math.max(own + left, 0) : 0 };
    }
    // What is added and what is subtracted: weights along each axis, and of cells, without signs.
    sides(rows, weights, before) {
      if (rows.every((row) => row.every((value) => value >= 0))) return [{ rows, weights, before }];
      return [1, -1].map((sign) => {
        const own = rows.map((row) => (row.some((value) => value < 0) ? row.map((value) => Math.max(sign * value, 0)) : row));
        return { rows: own, weights: this.outer(own) };
      });
    }
    // Best value, variance, and within it the doubts that editions share, of a sum of cells: weights along each axis, some negative in a
    // difference. doubts are of what is added and of what is subtracted.
    part(rows) {
      const weights = this.outer(rows), found = this.noise(weights);
      if (!Number.isFinite(found.variance)) return null;
      let values = this.counted, { variance, draws } = found;
      const sides = this.sides(rows, weights, found.variance), doubts = [0, 0];
      if (this.late) {
        ({ variance, draws } = this.lateNoise(weights, variance, draws));
        sides.forEach((side, which) => {
          const { doubt, chance } = this.lateDoubt(side);
          variance += chance; doubts[which] = doubt;
        });
      }
      const total = (of, given = weights) => { let all = 0; for (let i = 0; i < given.length; i++) all += given[i] * of[i]; return all; };
      const absolute = weights.map(Math.abs);
      for (const factors of this.factors) {
        const corrected = values.map((value, i) => value * factors.factor[factors.index[i]]);
        const least = Math.min(...factors.factor), most = Math.max(...factors.factor), mean = sum(factors.factor) / factors.factor.length;
        const ratioOf = (kept, after) => clip(kept > 0 ? after / kept : mean, least, most);
        const ratio = ratioOf(total(values, absolute), total(corrected, absolute));
        const insideOf = (given) => {
          const inside = new Float64Array(factors.factor.length);
          for (let i = 0; i < given.length; i++) inside[factors.index[i]] += given[i] * values[i];
          return inside;
        };
        let alone = 0, common = 0;
        insideOf(weights).forEach((value, at) => {
          alone += value ** 2 * (factors.own_variance[at] - factors.drawn[at]);
          common += value * factors.lean[at];
        });
        variance = variance * ratio ** 2 + alone + common ** 2 * factors.whole_variance;
        sides.forEach((side, which) => {
          const kept = total(values, side.weights);
          let spread = 0, drawn = 0;
          insideOf(side.weights).forEach((value, at) => { drawn += value ** 2 * factors.drawn[at]; });
          if (side.rows.some((row, axis) => splits(row, factors.axes[axis].of))) {
            const share = ratioOf(kept, total(corrected, side.weights)) - 1 + (factors.unsure ?? 0);
            spread = factors.spread * share * Math.abs(kept);
            variance += factors.cluster * Math.max(share, 0) * Math.abs(kept) * this.rowSize;
          }
          doubts[which] = Math.sqrt(doubts[which] ** 2 + spread ** 2 + drawn);
        });
        values = corrected;
      }
      return { value: total(values), variance: variance + doubts[0] ** 2 + doubts[1] ** 2, doubts, draws };
    }
  }

  // Whether weights take only some of the leaves of a coarse group, or take them unlike.
  function splits(row, groups) {
    const first = new Map();
    return row.some((value, at) => { if (!first.has(groups[at])) first.set(groups[at], value); return first.get(groups[at]) !== value; });
  }

  const fits = new WeakMap();
  function fitOf(file, statistic) {
    if (!fits.has(file)) fits.set(file, new Map());
    const own = fits.get(file);
    if (!own.has(statistic)) own.set(statistic, new Fit(file, statistic));
    return own.get(statistic);
  }

  // What is asked for, as weights of an edition's leaves.
  function leaves(dimension, codes) {
    if (!codes) return dimension.levels[0].codes.map(() => 1);
    const chosen = dimension.levels[0].codes.map(() => 0);
    for (const code of codes) {
      const level = dimension.levels.find((one) => one.codes.includes(code));
      if (!level) refuse("no_code", { code, dimension: dimension.title || dimension.name });
      const at = level.codes.indexOf(code);
      level.group.forEach((group, i) => { if (group === at) chosen[i] = 1; });
    }
    return chosen;
  }

  function conditions(file, where, begin, stop) {
    for (const name of Object.keys(where)) if (!file.dimensions.some((d) => d.name === name)) refuse("no_dimension", { dimension: name });
    const dated = file.dimensions.some((d) => d.kind === "date");
    if (!dated && (begin > day(file.period[0]) || stop <= day(file.period[1]))) refuse("cut", { period: file.period[2] });
    return file.dimensions.map((dimension) => {
      const row = leaves(dimension, where[dimension.name]);
      if (dimension.kind !== "date") return row;
      return row.map((value, i) => {
        const [first, last] = dimension.days[i].map(day);
        if (first >= begin && last < stop) return value;
        if (first < stop && last >= begin) refuse("cut", { period: dimension.levels[0].codes[i] });
        return 0;
      });
    });
  }

  function onFit(fit, rows) {
    return fit.axes.map((axis, i) => {
      const kept = axis.first.map((at) => rows[i][at]);
      if (axis.fine.group.some((group, at) => kept[group] !== rows[i][at])) refuse("coarser", { dimension: axis.dimension.title || axis.dimension.name });
      return kept;
    });
  }

  // Codes over changes of their lists (estimate/boundaries.py): the cells of an edition that hold what a code holds in the last edition that has it.
  const day0 = (file) => day(file.period[0]);
  const within = (files, first, last) => files.filter((f) => day0(f) <= last && day(f.period[1]) >= first);
  const dimensionOf = (file, name) => file.dimensions.find((d) => d.name === name);
  const becameOf = (file, name) => file.lists[name]?.replaced || {};

  function leavesOf(file, name, code) {
    const dimension = dimensionOf(file, name), level = dimension.levels.find((one) => one.codes.includes(code));
    if (!level) return null;
    const at = level.codes.indexOf(code);
    return dimension.levels[0].codes.filter((_, i) => level.group[i] === at);
  }

  function codesIn(code, file, name, among) {
    if (among.every((one) => !one.lists[name]?.replaced)) return [code];
    const having = among.filter((one) => leavesOf(one, name, code)), last = having.reduce((a, b) => (day0(b) > day0(a) ? b : a), having[0]);
    if (!last || last === file) return [code];
    const wanted = new Set(leavesOf(last, name, code)), own = leavesOf(file, name, code) || [];
    const [earlier, later] = day0(last) < day0(file) ? [last, file] : [file, last], replaced = becameOf(later, name);
    const [here, there, before, after] = [file, last, earlier, later].map((one) => dimensionOf(one, name).levels[0].codes), found = new Set();
    const inside = (codes) => codes.every((one) => wanted.has(one)) || refuse("boundary_part", { code });
    for (const leaf of before) {
      const became = after.includes(leaf) ? [leaf] : replaced[leaf] || [];
      if (file === earlier) {
        if (became.some((one) => wanted.has(one))) { inside(became); found.add(leaf); } else if (!became.some((one) => there.includes(one)) && own.includes(leaf)) found.add(leaf);
      } else if (wanted.has(leaf)) {
        for (const next of became.filter((one) => here.includes(one))) {
          inside(before.filter((one) => one === next || (replaced[one] || []).includes(next)));
          found.add(next);
        }
      }
    }
    if (found.size === own.length && own.every((one) => found.has(one))) return [code];
    return found.size ? here.filter((one) => found.has(one)) : refuse("not_counted", { code });
  }

  function whereIn(file, where, among) {
    const own = {};
    for (const [name, codes] of Object.entries(where)) {
      const having = among.filter((one) => dimensionOf(one, name));
      own[name] = dimensionOf(file, name) ? [...new Set(codes.flatMap((code) => codesIn(code, file, name, having)))] : codes;
    }
    return own;
  }

  // Whether what is asked for lies over changed boundaries, and was followed.
  const followed = (files, where, start, end) => { const among = within(files, day(start), day(end)); return among.some((file) => JSON.stringify(whereIn(file, where, among)) !== JSON.stringify(where)); };

  const parts = new WeakMap(); // what was worked out stays, as a sum of editions and each edition's own ask the same
  function partOf(file, ...asked) {
    if (!parts.has(file)) parts.set(file, new Map());
    const kept = parts.get(file), key = JSON.stringify(asked);
    if (!kept.has(key)) {
      if (kept.size > 20) kept.clear();
      kept.set(key, workedOut(file, ...asked));
    }
    return kept.get(key);
  }

  function workedOut(file, statistic, where, begin, stop) {
    const declared = file.release.statistics.find((one) => one.id === statistic), rows = conditions(file, where, begin, stop);
    const about = { edition: file.edition, begin, stop };
    if (declared.kind === "persons") {
      for (const m of file.plan.measurements.filter((one) => one.statistic === statistic)) {
        const place = file.dimensions.map((dimension, i) => {
          const level = dimension.levels.find((one) => one.name === m.levels[dimension.name]);
          return level.codes.findIndex((_, group) => level.group.every((own, at) => (own === group) === rows[i][at] > 0));
        });
        if (place.some((at) => at < 0)) continue;
        const at = place.reduce((flat, one, axis) => flat * m.shape[axis] + one, 0), variance = file.variances[m.id];
        return { ...about, value: file.noisy[m.id][at], variance, doubts: [0, 0], draws: [{ weight: 1, count: 1, scale: m.scale, variance, laplace: m.epsilon !== null }] };
      }
      refuse("persons");
    }
    const fit = fitOf(file, statistic), found = fit.part(onFit(fit, rows));
    return found ? { ...about, ...found } : refuse("not_measured", { period: file.period[2] });
  }

  function covering(files, first, last, part) { // a shortest path over the days
    const reasons = [], parts = [];
    for (const file of files) {
      const begin = Math.max(first, day(file.period[0])), stop = Math.min(last, day(file.period[1])) + 1;
      if (begin >= stop) continue;
      try { parts.push(part(file, begin, stop)); } catch (error) { if (!(error instanceof NotDerivable)) throw error; reasons.push(error); }
    }
    parts.sort((a, b) => a.stop - b.stop || a.begin - b.begin);
    const best = new Map([[first, { cost: 0, path: [] }]]);
    for (const one of parts) {
      const before = best.get(one.begin);
      if (!before) continue;
      const cost = before.cost + one.variance, held = best.get(one.stop);
      if (!held || cost < held.cost) best.set(one.stop, { cost, path: [...before.path, one] });
    }
    if (best.has(last + 1)) return best.get(last + 1).path;
    if (reasons.length) throw reasons[0];
    return refuse("no_edition", { day: isoDay(Math.max(...best.keys())) });
  }

  const around = (value, lower, upper) => [Math.min(lower, value), Math.max(upper, value)];

  function summed(parts) {
    const shared = [0, 1].map((side) => parts.map((p) => p.doubts[side])).map((doubts) => sum(doubts) ** 2 - sum(doubts.map((d) => d ** 2)));
    return { value: sum(parts.map((p) => p.value)), error: Math.sqrt(sum(parts.map((p) => p.variance)) + sum(shared)) };
  }

  const lawOfParts = (parts) => (parts.length === 1 ? (parts[0].law ??= lawOf(parts[0].draws)) : normalLaw());

  // The interval that is published with a value: whole numbers of a count, never a point while noise can move it.
  function published(best, statistic, [lower, upper], error, low) {
    const isSum = statistic.kind === "sum", step = isSum ? fraction(statistic.resolution) : 1;
    if (!isSum) {
      const first = Math.ceil(lower - 1e-9) + 0, last = Math.floor(upper + 1e-9) + 0; // no zero below zero
      [lower, upper] = first > last ? Array(2).fill(halfEven(settled((lower + upper) / 2))) : [first, last];
    }
    if (error > 1e-3 * step && upper - lower < 0.5 * step) [lower, upper] = [Math.max(lower - step, low), upper + step];
    return around(best, lower, upper);
  }

  function totalOf(parts, statistic) {
    const { value, error } = summed(parts), isSum = statistic.kind === "sum";
    const low = isSum && fraction(statistic.lower ?? 0) < 0 ? -Infinity : 0, best = Math.max(isSum ? value : halfEven(value), low);
    const [lower, upper] = published(best, statistic, lawOfParts(parts).interval(value, error, low), error, low);
    return { value: best, unrounded: value, lower, upper, standard_error: error, editions: parts.map((p) => p.edition) };
  }

  const declares = (file, statistic) => [...file.release.statistics, ...file.release.derived].some((one) => one.id === statistic);
  const meaning = (file, statistic) => { const s = file.release.statistics.find((one) => one.id === statistic); return JSON.stringify([s.kind, s.column, s.lower, s.upper]); };

  function sumOf(files, statistic, where, first, last) {
    const among = within(files, first, last);
    const parts = covering(files, first, last, (file, begin, stop) => partOf(file, statistic, whereIn(file, where, among), begin, stop));
    const used = files.filter((file) => parts.some((p) => p.edition === file.edition));
    if (new Set(used.map((file) => meaning(file, statistic))).size > 1) refuse("meaning");
    const declared = files[0].release.statistics.find((one) => one.id === statistic), found = totalOf(parts, declared);
    const count = files[0].release.statistics.find((one) => one.kind === "count");
    if (declared.kind !== "persons" || !count) return found;
    let rows;
    try { rows = sumOf(used, count.id, where, first, last); } catch (error) { if (error instanceof NotDerivable) return found; throw error; }
    const value = Math.min(Math.max(found.value, Math.min(rows.value, 1)), rows.value);
    const lower = Math.min(found.lower, rows.lower), upper = Math.min(found.upper, rows.upper);
    return { ...found, value, lower: Math.min(lower, value), upper: Math.max(upper, value) };
  }

  function peopleOf(files, derived, where, first, last) {
    const among = within(files, first, last), newest = among.reduce((a, b) => (day0(b) > day0(a) ? b : a), among[0] || files[0]);
    const file = Object.keys(where).some((name) => Object.keys(becameOf(newest, name)).length) ? newest : files[0];
    const has = (d) => file.lists[d.name]?.header.includes(derived.population), home = file.dimensions.find(has);
    const split = file.dimensions.filter((d) => d !== home && d.kind !== "date" && (where[d.name] || has(d)) && d.levels[0].codes.length > 1);
    if (!home || split.length > 1) return NaN;
    const list = file.lists[home.name], number = (row, column) => Number(list.rows[row]?.[list.header.indexOf(column)] || 0);
    const chosen = leaves(home, where[home.name]);
    if (!split.length) return sum(chosen.map((value, row) => value && number(row, derived.population)));
    const [other] = split, groups = leaves(other, where[other.name]);
    let people = 0;
    for (const [at, code] of other.levels[0].codes.entries()) {
      const column = `${derived.population}_${code}`;
      if (!list.header.includes(column)) { if (code !== other.unknown) return NaN; continue; }
      if (groups[at]) people += sum(chosen.map((value, row) => value && number(row, column)));
    }
    return people;
  }

  function meanOf(files, derived, where, first, last) {
    const top = sumOf(files, derived.of, where, first, last), bottom = sumOf(files, derived.over, where, first, last);
    const column = files[0].release.statistics.find((one) => one.id === derived.of);
    const low = column.lower === null ? 0 : fraction(column.lower), high = column.upper === null ? Infinity : fraction(column.upper);
    const z = 1.959963984540054, [s, t] = [top.standard_error ** 2, bottom.standard_error ** 2];
    if (bottom.unrounded <= 0) refuse("too_few");
    const a = bottom.unrounded ** 2 - z ** 2 * t, b = top.unrounded * bottom.unrounded, c = top.unrounded ** 2 - z ** 2 * s;
    const root = Math.sqrt(Math.max(b ** 2 - a * c, 0)), ratio = top.unrounded / bottom.unrounded;
    const ends = a > 0 ? [(b - root) / a, (b + root) / a] : [low, high], value = clip(ratio, low, high);
    const [lower, upper] = around(value, clip(ends[0], low, high), clip(ends[1], low, high));
    const error = Math.sqrt(Math.max((s + ratio ** 2 * t) / bottom.unrounded ** 2, 0));
    return { value, unrounded: ratio, lower, upper, standard_error: error, editions: top.editions };
  }

  // How much more one group of cells has than another, which differ in one dimension (estimate/difference.py).
  function difference(files, statistic, of, less, start, end) {
    const [found, other] = [of, less].map((where) => answer(files, statistic, where, start, end));
    const asked = files.filter((file) => declares(file, statistic)), first = day(start), last = day(end);
    const derived = asked[0].release.derived.find((one) => one.id === statistic), counted = derived ? derived.of : statistic;
    const declared = asked[0].release.statistics.find((one) => one.id === counted);
    if (derived?.kind === "mean") return apart(found, other, (a, b) => a + b);
    if (declared.kind === "persons") return apart(found, other, Math.hypot);
    const times = derived ? [of, less].map((where) => derived.per / peopleOf(asked, derived, where, first, last)) : [1, 1];
    const unit = Math.max(...times), scales = times.map((one) => one / unit);
    const among = within(asked, first, last), parts = covering(asked, first, last, (file, begin, stop) => {
      const [one, two] = [of, less].map((where) => conditions(file, whereIn(file, where, among), begin, stop));
      const unlike = one.map((row, i) => row.some((value, at) => value !== two[i][at]));
      if (unlike.filter(Boolean).length !== 1) refuse("one_dimension");
      const rows = one.map((row, i) => (unlike[i] ? row.map((value, at) => scales[0] * value - scales[1] * two[i][at]) : row));
      const fit = fitOf(file, counted), part = fit.part(onFit(fit, rows));
      return part ? { edition: file.edition, begin, stop, ...part } : refuse("not_measured", { period: file.period[2] });
    });
    const used = asked.filter((file) => parts.some((p) => p.edition === file.edition));
    if (new Set(used.map((file) => meaning(file, counted))).size > 1) refuse("meaning");
    const { value, error } = summed(parts), best = found.value - other.value;
    const interval = lawOfParts(parts).interval(value, error, -Infinity);
    const [lower, upper] = derived ? around(best, interval[0] * unit, interval[1] * unit) : published(best, declared, interval, error, -Infinity);
    return { value: best, unrounded: value * unit, lower, upper, standard_error: error * unit, editions: parts.map((p) => p.edition) };
  }

  function apart(one, two, together) { // by their arms towards each other
    const value = one.value - two.value;
    return {
      ...one, value, unrounded: one.unrounded - two.unrounded,
      lower: value - together(one.value - one.lower, two.upper - two.value), upper: value + together(one.upper - one.value, two.value - two.lower),
      standard_error: together(one.standard_error, two.standard_error),
    };
  }

  // The best estimate of a statistic over any cells and days; start and end as YYYY-MM-DD.
  function answer(files, statistic, where, start, end) {
    const asked = files.filter((file) => declares(file, statistic)), first = day(start), last = day(end);
    if (!asked.length) refuse("no_statistic");
    if (last < first) refuse("backwards");
    const derived = asked[0].release.derived.find((one) => one.id === statistic);
    if (!derived) return sumOf(asked, statistic, where, first, last);
    if (derived.kind === "mean") return meanOf(asked, derived, where, first, last);
    if (derived.kind !== "rate") refuse("no_sum");
    const count = sumOf(asked, derived.of, where, first, last), people = peopleOf(asked, derived, where, first, last);
    if (!(people > 0)) refuse("no_people");
    const scale = derived.per / people, times = (name) => count[name] * scale;
    return { value: times("value"), unrounded: times("unrounded"), lower: times("lower"), upper: times("upper"), standard_error: times("standard_error"), editions: count.editions };
  }

  return { answer, difference, followed, NotDerivable };
})();
