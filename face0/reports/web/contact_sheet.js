"use strict";
// The contact sheet: only what is in sight (and a little around it) is in the document.
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
      face0Thumbnails(number, JSON.parse(embedded[number].textContent));
      call(chunks.get(number));
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

  function showPicture(row, box) {
    withChunk(Math.floor(row / sheet.chunk), (pictures) => {
      const picture = pictures[row % sheet.chunk];
      if (!picture) {
        box.textContent = rows.image[row] === null ? "dropped" : "no thumbnail";
        return;
      }
      const img = document.createElement("img");
      img.alt = "";
      img.decoding = "async";
      img.src = `data:image/jpeg;base64,${picture}`;
      box.replaceChildren(img);
    });
  }

  let unseen = [], timer = 0;
  function fetchSoon(row, box) { // what is scrolled past at once is never loaded
    unseen.push([row, box]);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = unseen.filter(([, each]) => each.isConnected);
      unseen = [];
      for (const [each, place] of now) showPicture(each, place);
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

  function tile(row, named) {
    const made = element("a", "tile");
    if (rows.image[row] !== null) {
      made.href = rows.image[row].split("/").map(encodeURIComponent).join("/");
      made.target = "_blank";
      made.rel = "noopener";
    }
    const about = [sheet.prompts[rows.prompt[row]], sheet.faces[rows.face[row]], `seed ${rows.seed[row]}`,
      sheet.variants[rows.variant[row]], sheet.labels[rows.label[row]], rows.id[row]];
    made.title = about.filter(Boolean).join("\n");
    made.setAttribute("aria-label", about.slice(0, 4).filter(Boolean).join(", "));
    const picture = element("span", "picture");
    made.append(picture);
    fetchSoon(row, picture);

    const first = element("span", "line");
    first.append(element("span", "seed", `seed ${rows.seed[row]}`));
    if (rows.found[row] === 0) {
      made.classList.add("marked");
      first.append(element("span", "badge", "no face"));
    } else if (rows.found[row] > 1) {
      first.append(element("span", "badge", `${rows.found[row]} faces`));
    }
    if (rows.flagged[row]) first.append(element("span", "badge", "flagged"));
    if (rows.lost[row]) {
      first.append(element("span", "badge", "cut", `the last ${rows.lost[row]} tokens of the prompt had no place`));
    }
    made.append(first);
    for (let i = 0; i < measures.length; i += 2) {
      const line = element("span", "line");
      for (const [name, short] of measures.slice(i, i + 2)) {
        line.append(element("span", "", short), element("b", "", figure(rows[name][row])));
      }
      made.append(line);
    }
    if (varied) made.append(element("span", "line cut", sheet.variants[rows.variant[row]]));
    if (named) {
      made.append(element("span", "line cut", sheet.faces[rows.face[row]]));
      made.append(element("span", "line cut", sheet.prompts[rows.prompt[row]]));
    }
    return made;
  }

  const tileHeight = (named) => TILE + LINE * (1 + figureLines + varied + 2 * named) + 4;

  // --- layouts: a size, and what of it is within a rectangle -----------------------------------------------------------
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
    const columnWidth = across * STEP + 2 * GAP, high = tileHeight(false) + GAP;
    const prompts = [...bands.keys()].sort((a, b) => a - b);
    const tops = [COLUMN];
    for (const prompt of prompts) {
      const cells = [...bands.get(prompt).values()];
      for (const cell of cells) {
        cell.sort((a, b) => rows.variant[a] - rows.variant[b] || Number(rows.seed[a]) - Number(rows.seed[b]));
      }
      const lines = Math.ceil(cells.reduce((n, cell) => Math.max(n, cell.length), 0) / across);
      tops.push(tops[tops.length - 1] + BAND + lines * high);
    }

    function visit(left, top, right, bottom, put) {
      const first = Math.max(0, Math.floor(left / columnWidth));
      const last = Math.min(faces.length - 1, Math.floor(right / columnWidth));
      for (let c = first; c <= last; c++) {
        put(`f${c}`, c * columnWidth, 0, () => {
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
        put(`p${p}`, 0, tops[p], () => {
          const made = element("div", "band");
          made.append(element("span", "", prompt, prompt));
          return made;
        });
        for (let c = first; c <= last; c++) {
          (bands.get(prompts[p]).get(c) || []).forEach((row, i) => {
            const y = tops[p] + BAND + Math.floor(i / across) * high;
            if (y < bottom && y + high > top) {
              put(row, c * columnWidth + GAP + (i % across) * STEP, y, () => tile(row, false));
            }
          });
        }
      }
    }
    return { width: faces.length * columnWidth, height: tops[tops.length - 1], visit };
  }

  function asWall(shown, width) {
    const across = Math.max(1, Math.floor((width - GAP) / STEP)), high = tileHeight(true) + GAP;
    function visit(left, top, right, bottom, put) {
      const first = Math.max(0, Math.floor((top - GAP) / high)) * across;
      const end = Math.min(shown.length, (Math.floor((bottom - GAP) / high) + 1) * across);
      for (let i = first; i < end; i++) {
        put(shown[i], GAP + (i % across) * STEP, GAP + Math.floor(i / across) * high, () => tile(shown[i], true));
      }
    }
    return { width: 0, height: GAP + Math.ceil(shown.length / across) * high, visit };
  }

  // --- showing ---------------------------------------------------------------------------------------------------------
  let layout = null, placed = new Map(), shown = [];
  const header = element("div", "columns");

  function render() {
    const left = frame.scrollLeft, top = frame.scrollTop;
    const seen = new Set();
    layout.visit(left - AROUND, top - AROUND, left + frame.clientWidth + AROUND, top + frame.clientHeight + AROUND,
      (key, x, y, make, inHeader) => {
        seen.add(key);
        if (placed.has(key)) return;
        const made = make();
        made.style.left = `${x}px`;
        made.style.top = `${y}px`;
        placed.set(key, made);
        (inHeader ? header : area).append(made);
      });
    for (const [key, made] of placed) {
      if (!seen.has(key)) {
        made.remove();
        placed.delete(key);
      }
    }
  }

  function lay() {
    const width = frame.clientWidth;
    layout = form.elements.order.value ? asWall(shown, width) : byPromptAndFace(shown, width);
    area.replaceChildren(header);
    header.replaceChildren();
    placed = new Map();
    area.style.width = `${Math.max(layout.width, width)}px`;
    area.style.height = `${layout.height}px`;
    area.style.setProperty("--shown", `${width - 24}px`);
    frame.style.height = shown.length ? `min(${layout.height + 20}px, 85vh)` : "0";
    frame.hidden = !shown.length;
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

  let frameRequest = 0, widthBefore = 0, typing = 0;
  frame.addEventListener("scroll", () => {
    cancelAnimationFrame(frameRequest);
    frameRequest = requestAnimationFrame(render);
  }, { passive: true });
  new ResizeObserver(() => {
    if (frame.clientWidth && frame.clientWidth !== widthBefore) {
      widthBefore = frame.clientWidth;
      lay();
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
