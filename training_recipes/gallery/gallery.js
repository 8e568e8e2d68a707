"use strict";
// A virtual list of clips. Only what is on the screen has elements; a clip's pictures are decoded when it comes there.
(() => {
  const $ = (id) => document.getElementById(id);
  const DATA = JSON.parse($("data").textContent);
  const [ID, EF, CONFIDENCE, MOTION, APPEARANCE, REASON, FRAMES, SECONDS, OFF] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const SMALLEST = 176, GAP = 10, CAPTION = 68, OVER = 1, KEPT_CHUNKS = 24, KEPT_PICTURES = 400, AT_ONCE = 8;
  const clips = DATA.clips;
  const place = new Map(clips.map((clip, k) => [clip[ID], k]));

  // ---- the list of clips to leave out; it outlives a reload where the browser keeps anything for files
  const KEY = "echo-augment-gallery-" + DATA.digest;
  const out = new Set();
  const known = (ids) => ids.filter((id) => place.has(id) && !clips[place.get(id)][REASON]);
  try { known(JSON.parse(localStorage.getItem(KEY) || "[]")).forEach((id) => out.add(id)); } catch (error) { /* private */ }
  const listed = () => clips.filter((clip) => out.has(clip[ID])).map((clip) => clip[ID]);
  function changed() {
    try { localStorage.setItem(KEY, JSON.stringify(listed())); } catch (error) { /* private */ }
    $("ticked").textContent = `${out.size.toLocaleString("en")} left out`;
    for (const tile of live.values()) mark(tile);
    if ($("one").open) $("one-out").checked = out.has(clips[opened][ID]);
  }
  function leave(id, yes) {
    if (yes) out.add(id); else out.delete(id);
    changed();
  }
  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  async function load(file) {
    const text = (await file.text()).replace(/^\uFEFF/, "").trim();
    let ids;
    try { ids = text.startsWith("[") ? JSON.parse(text).map(String) : text.split(/\r?\n/).map((id) => id.trim()); }
    catch (error) { alert(`${file.name} is neither a JSON list nor one id a line`); return; }
    ids = ids.filter(Boolean);
    const here = known(ids);
    here.forEach((id) => out.add(id));
    changed();
    if (here.length < ids.length) alert(`${ids.length - here.length} of ${ids.length} ids are not in this cache`);
  }

  // ---- pictures: chunks of JSON in the page or in files beside it, strips in a chunk, frames in a strip
  const chunks = new Map(), pictures = new Map(), waiting = new Map();
  function keep(map, key, value, most) {
    map.delete(key);
    map.set(key, value);
    if (map.size > most) {
      const [oldest, gone] = map.entries().next().value;
      map.delete(oldest);
      if (gone.close) gone.close();
    }
    return value;
  }
  window.galleryChunk = (number, value) => {  // what a file beside the page calls
    keep(chunks, number, value, KEPT_CHUNKS);
    waiting.get(number)?.forEach((resolve) => resolve(value));
    waiting.delete(number);
  };
  function chunk(number) {
    if (chunks.has(number)) return Promise.resolve(keep(chunks, number, chunks.get(number), KEPT_CHUNKS));
    if (DATA.beside) {
      return new Promise((resolve) => {
        if (waiting.has(number)) { waiting.get(number).push(resolve); return; }
        waiting.set(number, [resolve]);
        const script = document.createElement("script");
        script.src = `clips/${number}.js`;
        script.onload = () => script.remove();
        document.head.append(script);
      });
    }
    const element = $(`chunk-${number}`);
    if (element) return Promise.resolve(keep(chunks, number, JSON.parse(element.textContent), KEPT_CHUNKS));
    if (document.readyState !== "loading") return Promise.reject(new Error(`chunk ${number} is missing`));
    return new Promise((resolve) => setTimeout(resolve, 50)).then(() => chunk(number));  // still being parsed
  }
  async function picture(index) {
    if (pictures.has(index)) return keep(pictures, index, pictures.get(index), KEPT_PICTURES);
    const { strips } = await chunk(Math.floor(index / DATA.per));
    const bytes = Uint8Array.from(atob(strips[index % DATA.per]), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" }));
    return keep(pictures, index, bitmap, KEPT_PICTURES);
  }

  // ---- tiles
  const grid = $("grid"), live = new Map(), free = [];
  let shown = [], columns = 2, width = 150, height = 218, playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  function makeTile() {
    const root = document.createElement("div");
    root.className = "tile";
    root.innerHTML = '<button type="button" class="open"><canvas></canvas><span class="why"></span></button>'
      + '<label class="tick" title="Leave out"><input type="checkbox" aria-label="Leave out"></label>'
      + "<div><span></span><span></span><span></span></div>";
    const tile = { root, index: -1, frame: -1, asked: -1, bitmap: null };
    [tile.open, tile.tick] = root.children;
    [tile.canvas, tile.why] = tile.open.children;
    tile.box = tile.tick.firstChild;
    tile.lines = root.lastChild.children;
    tile.pen = tile.canvas.getContext("2d", { alpha: false });
    tile.open.onclick = () => show(tile.index);
    tile.box.onchange = () => leave(clips[tile.index][ID], tile.box.checked);
    return tile;
  }
  const percent = (ef) => (ef === null ? "EF ?" : `EF ${ef.toFixed(0)} %`);
  function fill(tile, slot) {
    const index = shown[slot], clip = clips[index];
    tile.root.style.transform = `translate(${(slot % columns) * (width + GAP)}px, ${Math.floor(slot / columns) * (height + GAP)}px)`;
    tile.root.hidden = false;
    if (tile.index === index) return;
    Object.assign(tile, { index, bitmap: null, frame: -1, asked: -1 });
    tile.canvas.width = tile.canvas.height = 1;
    tile.why.textContent = clip[REASON] ? `not stored: ${clip[REASON]}` : "";
    tile.tick.style.display = clip[REASON] ? "none" : "";
    tile.open.setAttribute("aria-label", `Clip ${clip[ID]}, ${percent(clip[EF])}`);
    tile.lines[0].textContent = percent(clip[EF]) + (clip[REASON] ? "" : `, conf. ${clip[CONFIDENCE].toFixed(2)}`);
    tile.lines[1].textContent = clip[MOTION] ? `motion ${clip[MOTION]}` : clip[ID];
    tile.lines[2].textContent = clip[APPEARANCE] ? `appearance ${clip[APPEARANCE]}` : "";
    mark(tile);
  }
  function mark(tile) {
    const yes = tile.index >= 0 && out.has(clips[tile.index][ID]);
    tile.box.checked = yes;
    tile.root.classList.toggle("out", yes);
  }
  function arrange() {
    const top = -grid.getBoundingClientRect().top, step = height + GAP;
    const from = Math.max(0, Math.floor(top / step) - OVER) * columns;
    const to = Math.min(shown.length, (Math.ceil((top + innerHeight) / step) + OVER) * columns);
    for (const [slot, tile] of live) {
      if (slot < from || slot >= to) {
        live.delete(slot);
        free.push(tile);
        tile.root.hidden = true;
      }
    }
    const first = Math.min(...live.keys()), before = live.get(first)?.root ?? null;
    for (let slot = from; slot < to; slot += 1) {
      if (!live.has(slot)) {
        const tile = free.pop() || makeTile();
        live.set(slot, tile);
        fill(tile, slot);
        grid.insertBefore(tile.root, slot < first ? before : null);  // the tab key goes through them in order
      }
    }
  }
  function measure() {
    const room = grid.clientWidth;
    columns = Math.max(2, Math.floor((room + GAP) / (SMALLEST + GAP)));
    width = Math.floor((room - GAP * (columns - 1)) / columns);
    height = width + CAPTION;
    grid.style.setProperty("--w", `${width}px`);
    grid.style.setProperty("--h", `${height}px`);
    grid.style.setProperty("--p", `${width}px`);
    const rows = Math.ceil(shown.length / columns);
    grid.style.height = `${Math.max(0, rows * (height + GAP) - GAP)}px`;
    for (const [slot, tile] of live) {
      live.delete(slot);
      free.push(tile);
      tile.root.hidden = true;
    }
    arrange();
  }

  // ---- what moves: a few pictures are asked for in each frame, and every tile draws where its clip is by the clock
  let busy = 0;
  function draw(tile, now) {
    const clip = clips[tile.index];
    const frame = playing ? Math.floor((now / 1000 / clip[SECONDS]) * clip[FRAMES]) % clip[FRAMES] : Math.max(0, tile.frame);
    if (frame === tile.frame) return;
    const side = tile.bitmap.height / clip[FRAMES];
    if (tile.frame < 0) [tile.canvas.width, tile.canvas.height] = [tile.bitmap.width, side];
    tile.pen.drawImage(tile.bitmap, 0, frame * side, tile.bitmap.width, side, 0, 0, tile.bitmap.width, side);
    tile.frame = frame;
  }
  function ask(tile) {
    const index = tile.index;
    busy += 1;
    tile.asked = index;
    picture(index).then((bitmap) => {
      if (tile.index === index) tile.bitmap = bitmap;
    }, (error) => {
      if (tile.index === index) tile.why.textContent = String(error.message || error);
    }).finally(() => { busy -= 1; });
  }
  function tick(now) {
    for (const tile of live.values()) {
      if (clips[tile.index][REASON]) continue;
      if (tile.bitmap && tile.bitmap.width === 0) [tile.bitmap, tile.frame, tile.asked] = [null, -1, -1];  // let go
      if (tile.bitmap) draw(tile, now);
      else if (busy < AT_ONCE && tile.asked !== tile.index) ask(tile);
    }
    if ($("one").open && big.bitmap) draw(big, now);
    requestAnimationFrame(tick);
  }

  // ---- one clip, with all that is known of it
  const big = { canvas: $("big"), pen: $("big").getContext("2d", { alpha: false }), index: 0, frame: -1, bitmap: null };
  let opened = 0;
  function fact(name, value) {
    if (value === null || value === undefined || value === "") return;
    const [title, text] = [document.createElement("dt"), document.createElement("dd")];
    title.textContent = name;
    text.textContent = typeof value === "object" ? JSON.stringify(value) : String(value);
    $("facts").append(title, text);
  }
  async function show(index) {
    opened = index;
    const clip = clips[index];
    Object.assign(big, { index, frame: -1, bitmap: null });
    big.canvas.hidden = Boolean(clip[REASON]);
    $("one-id").textContent = clip[ID];
    $("one-out").checked = out.has(clip[ID]);
    $("one-out").disabled = Boolean(clip[REASON]);
    if (!$("one").open) $("one").showModal();
    $("facts").replaceChildren();
    fact("EF", clip[EF] === null ? "none" : `${clip[EF].toFixed(2)} %`);
    if (clip[REASON]) fact("Rejected by gate", clip[REASON]);
    else fact("Confidence", clip[CONFIDENCE]);
    fact("Motion donor", clip[MOTION]);
    fact("Appearance donor", clip[APPEARANCE]);
    if (clip[REASON]) return;
    const { about } = await chunk(Math.floor(index / DATA.per));
    const bitmap = await picture(index);
    if (opened !== index) return;
    for (const [name, value] of Object.entries(about[index % DATA.per])) fact(name, value);
    Object.assign(big, { frame: -1, bitmap });
  }
  function walk(step) {
    const next = shown[shown.indexOf(opened) + step];
    if (next !== undefined) show(next);
  }

  // ---- filters
  const number = (id, other) => ($(id).value === "" ? other : Number($(id).value));
  const ORDERS = {
    "as stored": null,
    "EF, lowest first": (a, b) => (a[EF] ?? 101) - (b[EF] ?? 101),
    "EF, highest first": (a, b) => (b[EF] ?? -1) - (a[EF] ?? -1),
    "confidence, lowest first": (a, b) => a[CONFIDENCE] - b[CONFIDENCE],
  };
  if (clips.some((clip) => clip[OFF] !== null)) ORDERS["EF read furthest from the label"] = (a, b) => (b[OFF] ?? -1) - (a[OFF] ?? -1);
  function choose() {
    const [low, high] = [number("ef-from", -Infinity), number("ef-to", Infinity)];
    const ranged = low > -Infinity || high < Infinity, sure = number("confidence", -Infinity);
    const words = $("words").value.trim().toLowerCase(), gate = $("gate").value, only = $("only").checked;
    const fits = (clip) => {
      if (gate === "passed" ? clip[REASON] : gate !== "all" && clip[REASON].split(":")[0] !== gate.slice(9)) return false;
      if (ranged && (clip[EF] === null || clip[EF] < low || clip[EF] > high)) return false;
      if (!clip[REASON] && clip[CONFIDENCE] < sure) return false;
      if (only && !out.has(clip[ID])) return false;
      return !words || [ID, MOTION, APPEARANCE].some((field) => clip[field].toLowerCase().includes(words));
    };
    shown = [];
    clips.forEach((clip, k) => { if (fits(clip)) shown.push(k); });
    const order = ORDERS[$("order").value];
    if (order) shown.sort((a, b) => order(clips[a], clips[b]) || a - b);
    $("count").textContent = `${shown.length.toLocaleString("en")} of ${DATA.stored.toLocaleString("en")} clips`;
    $("none").hidden = shown.length > 0;
    for (const tile of free) tile.index = -1;
    measure();
  }
  function option(select, value, text) {
    const one = document.createElement("option");
    [one.value, one.textContent] = [value, text || value];
    select.append(one);
  }

  // ---- begin
  document.title = $("title").textContent = `Gallery of ${DATA.name}`;
  $("about").textContent = DATA.about;
  if (DATA.gates.length) {
    $("gates").hidden = false;
    $("gates").firstElementChild.textContent = DATA.gates[0];
    for (const line of DATA.gates.slice(1)) {
      const item = document.createElement("li");
      item.textContent = line;
      $("gates").lastElementChild.append(item);
    }
  }
  $("how").textContent = `CachedClips(${JSON.stringify(DATA.folder)}, exclude="exclude.txt")`;
  option($("gate"), "passed", `passed (${DATA.stored})`);
  for (const [kind, count] of Object.entries(DATA.rejected)) option($("gate"), `rejected:${kind}`, `rejected by ${kind} (${count})`);
  if (Object.keys(DATA.rejected).length) option($("gate"), "all");
  Object.keys(ORDERS).forEach((name) => option($("order"), name));
  const flip = (button, panel) => { button.onclick = () => {
    const open = panel.id === "filters" ? panel.classList.toggle("open") : !(panel.hidden = !panel.hidden);
    button.setAttribute("aria-expanded", String(open));
  }; };
  flip($("toggle"), $("filters"));
  flip($("more"), $("list"));
  const say = () => { $("play").textContent = playing ? "Pause" : "Play"; };
  $("play").onclick = () => { playing = !playing; say(); };
  say();
  $("save-text").onclick = () => save("exclude.txt", listed().map((id) => id + "\n").join(""), "text/plain");
  $("save-json").onclick = () => save("exclude.json", JSON.stringify(listed(), null, 1) + "\n", "application/json");
  $("load").onchange = () => { if ($("load").files.length) load($("load").files[0]); $("load").value = ""; };
  $("clear").onclick = () => { out.clear(); changed(); };
  $("tick-shown").onclick = () => { shown.forEach((k) => { if (!clips[k][REASON]) out.add(clips[k][ID]); }); changed(); };
  $("filters").oninput = choose;
  $("filters").onsubmit = (event) => event.preventDefault();
  $("filters").onreset = () => setTimeout(choose);
  $("before").onclick = () => walk(-1);
  $("after").onclick = () => walk(1);
  $("close").onclick = () => $("one").close();
  $("one-out").onchange = () => leave(clips[opened][ID], $("one-out").checked);
  $("one").onclick = (event) => { if (event.target === $("one")) $("one").close(); };
  addEventListener("keydown", (event) => {
    if ($("one").open && event.key === "ArrowLeft") walk(-1);
    if ($("one").open && event.key === "ArrowRight") walk(1);
  });
  let planned = false;
  addEventListener("scroll", () => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => { planned = false; arrange(); });
  }, { passive: true });
  addEventListener("resize", measure);
  choose();
  changed();
  requestAnimationFrame(tick);
})();
