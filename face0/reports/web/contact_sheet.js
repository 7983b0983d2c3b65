"use strict";
// The contact sheet: only what is in sight (and a little around it) is in the document, and what has the focus. What is
// there stands in the order in which it is read, whichever way it was scrolled to. All of it is there while it is printed.
(() => {
  const TILE = 132, GAP = 10, STEP = TILE + GAP, LINE = 15, COLUMN = 30, BAND = 40, AROUND = 500;
  const KEPT = 80; // chunks of thumbnails held at a time

  const all = (kind) => [...document.querySelectorAll(`script[data-kind="${kind}"]`)];
  const sheet = JSON.parse(all("sheet")[0].textContent);
  const rows = {};
  for (const part of all("rows")) {
    for (const [name, values] of Object.entries(JSON.parse(part.textContent))) {
      rows[name] = (rows[name] || []).concat(values);
    }
    part.remove();
  }
  const total = rows.id.length;
  const frame = document.querySelector(".sheet");
  const area = frame.firstElementChild;
  const form = document.querySelector(".filters");
  const measures = Object.entries(sheet.measures).filter(([name]) => name !== "seconds");
  const figureLines = Math.ceil(measures.length / 2);
  const varied = sheet.variants.length > 1;
  const badged = rows.found.some((faces) => faces !== 1) || rows.flagged.some(Boolean) || rows.lost.some(Boolean);

  // --- thumbnails -------------------------------------------------------------------------------------------------
  const chunks = new Map(); // number -> base64 texts, the longest unused first
  const waiting = new Map(); // number -> functions to call once it is there
  const embedded = all("thumbnails");

  window.face0Thumbnails = (number, pictures) => {
    chunks.set(number, pictures);
    for (const old of chunks.keys()) {
      if (chunks.size <= KEPT) break;
      chunks.delete(old);
    }
    for (const call of waiting.get(number) || []) call(pictures);
    waiting.delete(number);
  };

  function withChunk(number, call) {
    const there = chunks.get(number);
    if (there) {
      chunks.delete(number);
      chunks.set(number, there);
      call(there);
    } else if (sheet.folder === null) {
      const pictures = JSON.parse(embedded[number].textContent);
      face0Thumbnails(number, pictures);
      call(pictures);
    } else if (waiting.has(number)) {
      waiting.get(number).push(call);
    } else {
      waiting.set(number, [call]);
      const script = document.createElement("script");
      script.src = `${sheet.folder}/thumbs-${String(number).padStart(5, "0")}.js`;
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        for (const failed of waiting.get(number) || []) failed([]);
        waiting.delete(number);
      };
      document.head.append(script);
    }
  }

  const chunkOf = (row) => Math.floor(row / sheet.chunk);

  function put(pictures, row, box) {
    const picture = pictures[row % sheet.chunk];
    if (!picture) {
      box.textContent = rows.image[row] === null ? "dropped" : "no thumbnail";
      return;
    }
    const img = document.createElement("img");
    img.alt = ""; // the text beside it says what it is
    img.src = `data:image/jpeg;base64,${picture}`;
    box.replaceChildren(img);
  }

  let unseen = [], timer = 0;
  function fetchSoon(row, box) { // what is scrolled past at once is never loaded
    unseen.push([row, box]);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = unseen.filter(([, each]) => each.isConnected);
      unseen = [];
      for (const [each, place] of now) withChunk(chunkOf(each), (pictures) => put(pictures, each, place));
    }, 40);
  }

  // --- elements: texts go in as text, never as markup -----------------------------------------------------------------
  function element(tag, kind, text, title) {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    if (title) made.title = title;
    return made;
  }

  const figure = (value) => value === null ? "–" : value.toFixed(2).replace(/^(-?)0\./, "$1.");

  function tile(row, lines, show = fetchSoon) {
    const prompt = sheet.prompts[rows.prompt[row]], face = sheet.faces[rows.face[row]];
    const made = element(rows.image[row] === null ? "div" : "a", "tile");
    if (rows.image[row] !== null) {
      made.href = rows.image[row].split("/").map(encodeURIComponent).join("/");
      made.target = "_blank";
      made.rel = "noopener";
    }
    const about = [prompt, face, `seed ${rows.seed[row]}`, sheet.variants[rows.variant[row]],
      sheet.labels[rows.label[row]], rows.id[row]];
    made.title = about.filter(Boolean).join("\n");
    const unwritten = [prompt, face].filter((text) => !lines.includes(text)); // above it and beside it, for the eye
    if (unwritten.length) made.append(element("span", "unseen", `${unwritten.join(", ")}, `));
    const picture = element("span", "picture"), badges = element("span", "line badges");
    show(row, picture);
    if (rows.found[row] === 0) {
      made.classList.add("marked");
      badges.append(element("span", "badge", "no face"), " ");
    } else if (rows.found[row] > 1) {
      badges.append(element("span", "badge", `${rows.found[row]} faces`), " ");
    }
    if (rows.flagged[row]) badges.append(element("span", "badge", "flagged"), " ");
    if (rows.lost[row]) {
      badges.append(element("span", "badge", "cut", `the last ${rows.lost[row]} tokens of the prompt had no place`), " ");
    }
    made.append(picture);
    if (badged) made.append(badges);
    made.append(element("span", "line cut", `seed ${rows.seed[row]}`));
    for (let i = 0; i < measures.length; i += 2) {
      const line = element("span", "line");
      for (const [name, short] of measures.slice(i, i + 2)) {
        line.append(element("span", "", short), " ", element("b", "", figure(rows[name][row])), " ");
      }
      made.append(line);
    }
    if (varied) made.append(element("span", "line cut", sheet.variants[rows.variant[row]]));
    for (const line of lines) made.append(element("span", "line cut", line));
    return made;
  }

  const tileHeight = (lines) => TILE + LINE * (1 + badged + figureLines + varied + lines) + 4;
  const bySettings = (a, b) => rows.variant[a] - rows.variant[b] || Number(rows.seed[a]) - Number(rows.seed[b]);

  // --- layouts: a size, what of it is within a rectangle, each with its place in the order of reading, and where a row is
  function byPromptAndFace(shown, width) {
    const faces = [...new Set(shown.map((row) => rows.face[row]))].sort((a, b) => a - b);
    const columnOf = new Map(faces.map((face, i) => [face, i]));
    const bands = new Map();
    let most = 1;
    for (const row of shown) {
      if (!bands.has(rows.prompt[row])) bands.set(rows.prompt[row], new Map());
      const cells = bands.get(rows.prompt[row]), column = columnOf.get(rows.face[row]);
      if (!cells.has(column)) cells.set(column, []);
      cells.get(column).push(row);
      most = Math.max(most, cells.get(column).length);
    }
    const fits = Math.max(1, Math.floor((width - GAP) / STEP));
    const across = Math.min(most, faces.length === 1 ? fits : Math.min(fits, width < 560 ? 2 : 4));
    const columnWidth = across * STEP + 2 * GAP, high = tileHeight(0) + GAP;
    const prompts = [...bands.keys()].sort((a, b) => a - b);
    const tops = [COLUMN], bandNumbers = [], places = new Map(); // row -> left, top, number in the order of reading
    const sequence = []; // of rows and bands, by number
    prompts.forEach((prompt, p) => {
      const cells = bands.get(prompt);
      let lines = 0;
      bandNumbers.push(sequence.push(`p${p}`) - 1);
      for (const c of [...cells.keys()].sort((a, b) => a - b)) {
        cells.get(c).sort(bySettings).forEach((row, i) => {
          const line = Math.floor(i / across);
          const number = sequence.push(row) - 1;
          places.set(row, [c * columnWidth + GAP + (i % across) * STEP, tops[p] + BAND + line * high, number]);
          lines = Math.max(lines, line + 1);
        });
      }
      tops.push(tops[p] + BAND + lines * high);
    });

    function visit(left, top, right, bottom, put) {
      const first = Math.max(0, Math.floor(left / columnWidth));
      const last = Math.min(faces.length - 1, Math.floor(right / columnWidth));
      for (let c = first; c <= last; c++) {
        put(`f${c}`, c * columnWidth, 0, c, () => {
          const made = element("div", "column", sheet.faces[faces[c]], sheet.faces[faces[c]]);
          made.style.width = `${c === faces.length - 1 ? Math.max(columnWidth, width - c * columnWidth) : columnWidth}px`;
          return made;
        }, true);
      }
      let low = 0, end = prompts.length; // the first band that ends below the top
      while (low < end) {
        const middle = (low + end) >> 1;
        if (tops[middle + 1] < top) low = middle + 1; else end = middle;
      }
      for (let p = low; p < prompts.length && tops[p] < bottom; p++) {
        const prompt = sheet.prompts[prompts[p]];
        put(`p${p}`, 0, tops[p], bandNumbers[p], () => {
          const made = element("h3", "band");
          made.append(element("span", "", prompt, prompt));
          return made;
        });
        for (let c = first; c <= last; c++) {
          for (const row of bands.get(prompts[p]).get(c) || []) {
            const [, y] = places.get(row);
            if (y < bottom && y + high > top) put(row, ...places.get(row), () => draw(row));
          }
        }
      }
    }
    const draw = (row) => tile(row, []), place = (row) => places.get(row);
    return { width: faces.length * columnWidth, height: tops[tops.length - 1], visit, place, draw, sequence };
  }

  function asWall(shown, width) {
    const across = Math.max(1, Math.floor((width - GAP) / STEP)), high = tileHeight(2) + GAP;
    const position = new Map(shown.map((row, i) => [row, i]));
    function place(row) {
      const i = position.get(row);
      return i === undefined ? undefined : [GAP + (i % across) * STEP, GAP + Math.floor(i / across) * high, i];
    }
    function visit(left, top, right, bottom, put) {
      const first = Math.max(0, Math.floor((top - GAP) / high)) * across;
      const end = Math.min(shown.length, (Math.floor((bottom - GAP) / high) + 1) * across);
      for (let i = first; i < end; i++) {
        put(shown[i], ...place(shown[i]), () => draw(shown[i]));
      }
    }
    const draw = (row) => tile(row, [sheet.faces[rows.face[row]], sheet.prompts[rows.prompt[row]]]);
    return { width: 0, height: GAP + Math.ceil(shown.length / across) * high, visit, place, draw, sequence: shown };
  }

  // --- showing ---------------------------------------------------------------------------------------------------------
  let layout = null, placed = new Map(), shown = [];
  const header = element("div", "columns");

  function add(key, x, y, order, make, inHeader) { // before the first that is read after it; what is there stays put
    const made = make(), parent = inHeader ? header : area;
    made.style.left = `${x}px`;
    made.style.top = `${y}px`;
    made.dataset.order = order;
    parent.insertBefore(made, [...parent.children].find((other) => Number(other.dataset.order) > order) || null);
    placed.set(key, made);
  }

  function render() {
    const left = frame.scrollLeft, top = frame.scrollTop;
    const seen = new Set();
    const put = (key, ...how) => {
      seen.add(key);
      if (!placed.has(key)) add(key, ...how);
    };
    layout.visit(left - AROUND, top - AROUND, left + frame.clientWidth + AROUND, top + frame.clientHeight + AROUND, put);
    const at = layout.place(focused()); // the Tab key goes on to what is read next, in sight or not
    if (at) {
      for (const step of [-1, 1]) {
        let next = at[2] + step;
        while (next in layout.sequence && !linked(layout.sequence[next])) next += step;
        const row = layout.sequence[next];
        if (row !== undefined) put(row, ...layout.place(row), () => layout.draw(row));
      }
    }
    for (const [key, made] of placed) {
      if (!seen.has(key) && made !== document.activeElement) {
        made.remove();
        placed.delete(key);
      }
    }
  }

  const linked = (key) => typeof key === "number" && rows.image[key] !== null;
  const focused = () => [...placed].find(([, made]) => made === document.activeElement)?.[0];

  const inSight = (key) => {
    const place = layout.place(key);
    return place && place[1] + TILE > frame.scrollTop && place[1] < frame.scrollTop + frame.clientHeight;
  };

  function firstInSight() {
    for (const [key] of [...placed].sort(([, a], [, b]) => a.dataset.order - b.dataset.order)) {
      if (inSight(key)) return key;
    }
    return undefined;
  }

  function layAnew() { // what has the focus keeps it, and what is in sight stays there
    const focus = focused();
    lay(focus !== undefined && inSight(focus) ? focus : firstInSight());
    if (focus === undefined) return;
    if (!placed.has(focus)) add(focus, ...layout.place(focus), () => layout.draw(focus));
    placed.get(focus).focus({ preventScroll: true });
  }

  function lay(kept) { // the row that stays where it is
    const width = frame.clientWidth, before = layout?.place(kept);
    const offset = before ? before[1] - frame.scrollTop : 0;
    layout = form.elements.order.value ? asWall(shown, width) : byPromptAndFace(shown, width);
    area.replaceChildren(header);
    header.dataset.order = -1;
    header.replaceChildren();
    placed = new Map();
    area.style.width = `${Math.max(layout.width, width)}px`;
    area.style.height = `${layout.height}px`;
    area.style.setProperty("--shown", `${width - 24}px`);
    frame.style.height = shown.length ? `min(${layout.height + 20}px, 85vh)` : "0";
    frame.hidden = !shown.length;
    const after = layout.place(kept);
    if (after) frame.scrollTop = after[1] - offset;
    render();
  }

  function choose() {
    const value = (name) => form.elements[name] ? form.elements[name].value : "";
    const holding = (texts, part) => texts.map((text) => text.toLowerCase().includes(part.trim().toLowerCase()));
    const prompts = holding(sheet.prompts, value("prompt")), faces = holding(sheet.faces, value("face"));
    const label = value("label"), found = value("found"), flagged = value("flagged");
    const least = value("least") === "" ? null : Number(value("least"));
    const order = value("order"), sign = value("direction") === "up" ? 1 : -1;
    shown = [];
    for (let row = 0; row < total; row++) {
      if (prompts[rows.prompt[row]] && faces[rows.face[row]]
          && (!label || sheet.labels[rows.label[row]] === label)
          && (!found || found === (["none", "one"][rows.found[row]] || "several"))
          && (!flagged || (flagged === "yes") === (rows.flagged[row] === true))
          && (least === null || (rows.similarity[row] !== null && rows.similarity[row] >= least))) {
        shown.push(row);
      }
    }
    if (order) { // what was not measured comes last, whatever the direction
      const by = rows[order === "faces_found" ? "found" : order];
      shown.sort((a, b) => (by[a] === null) - (by[b] === null) || sign * (by[a] - by[b]) || a - b);
    }
    form.elements.direction.disabled = !order;
    document.getElementById("count").textContent = shown.length
      ? `${shown.length.toLocaleString("en")} of ${total.toLocaleString("en")} images`
      : "No image is like that: reset, or ask for less.";
    frame.scrollTop = frame.scrollLeft = 0;
    lay();
  }

  // --- printing: all that the filters leave, one below the other ---------------------------------------------------------
  const printed = document.querySelector(".printed");
  let held = new Map(); // chunks that were loaded to be printed

  function layPrint() {
    const ordered = form.elements.order.value;
    let missing = 0;
    const show = (row, box) => {
      const number = chunkOf(row), pictures = held.get(number) || chunks.get(number);
      if (pictures) put(pictures, row, box);
      else if (sheet.folder === null) withChunk(number, (all) => put(all, row, box));
      else missing += 1;
    };
    const groups = new Map();
    for (const row of shown) {
      const key = ordered ? -1 : rows.prompt[row];
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(row);
    }
    for (const key of [...groups.keys()].sort((a, b) => a - b)) {
      if (!ordered) groups.get(key).sort((a, b) => rows.face[a] - rows.face[b] || bySettings(a, b));
      if (key >= 0) printed.append(element("h3", "", sheet.prompts[key]));
      const grid = element("div", "tiles-in-rows");
      for (const row of groups.get(key)) {
        const face = sheet.faces[rows.face[row]];
        grid.append(tile(row, ordered ? [face, sheet.prompts[rows.prompt[row]]] : [face], show));
      }
      printed.append(grid);
    }
    const said = `${shown.length.toLocaleString("en")} of ${total.toLocaleString("en")} images.`;
    printed.prepend(element("p", "note", said));
    if (missing) {
      const told = `${missing.toLocaleString("en")} pictures had not been loaded: print by the button above the images.`;
      printed.prepend(element("p", "warning", told));
    }
  }

  async function loadAndPrint() {
    const numbers = [...new Set(shown.map(chunkOf))], count = document.getElementById("count"), before = count.textContent;
    for (const [i, number] of numbers.entries()) {
      if (i % 10 === 0) count.textContent = `Loading pictures: ${i} of ${numbers.length} files`;
      held.set(number, await new Promise((resolve) => withChunk(number, resolve)));
    }
    count.textContent = before;
    window.print();
  }

  window.addEventListener("beforeprint", () => {
    printed.replaceChildren();
    layPrint();
  });
  window.addEventListener("afterprint", () => {
    printed.replaceChildren();
    held = new Map();
  });
  form.elements.print.addEventListener("click", loadAndPrint);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key === "p") {
      event.preventDefault();
      loadAndPrint();
    }
  });

  let frameRequest = 0, widthBefore = 0, typing = 0;
  frame.addEventListener("scroll", () => {
    cancelAnimationFrame(frameRequest);
    frameRequest = requestAnimationFrame(render);
  }, { passive: true });
  area.addEventListener("focusin", render);
  new ResizeObserver(() => {
    if (frame.clientWidth && frame.clientWidth !== widthBefore) {
      widthBefore = frame.clientWidth;
      if (layout) layAnew();
      else lay();
    } else if (layout) {
      render();
    }
  }).observe(frame);
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(choose, 120);
  });
  form.addEventListener("reset", () => setTimeout(choose));
  form.addEventListener("submit", (event) => event.preventDefault());
  choose();
})();
