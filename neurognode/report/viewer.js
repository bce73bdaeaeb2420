for (const box of document.querySelectorAll('.space')) {
  const data = JSON.parse(box.querySelector('script').textContent);
  const canvas = box.querySelector('canvas'), slider = box.querySelector('input'), button = box.querySelector('button');
  const pen = canvas.getContext('2d');
  let yaw = 0.7, pitch = 0.45, zoom = 1, playing = false, touched = false;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const longest = Math.max(...data.paths.map(p => p.points.length / 3));
  slider.max = longest - 1; slider.value = longest - 1;
  const label = box.querySelector('output');

  function project(x, y, z, half, scale) {
    const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
    const a = cy * x + sy * y, b = -sy * x + cy * y;
    return [half[0] + scale * a, half[1] - scale * (cp * z - sp * b), cp * b + sp * z];
  }

  function draw() {
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const half = [width / 2, height / 2], scale = zoom * Math.min(width * 0.9, height) / 2400, ink = getComputedStyle(canvas).color;
    const last = Number(slider.value);
    axes(half, scale, ink);
    const order = data.paths.map((path, k) => [k, project(...path.points.slice(0, 3), half, scale)[2]]).sort((a, b) => b[1] - a[1]);
    pen.lineWidth = 1.1; pen.lineJoin = 'round';
    for (const [k] of order) line(data.paths[k], last, half, scale);
    pen.globalAlpha = 1;
    for (const mark of data.marks) spot(mark, half, scale, ink);
    const time = data.time[Math.min(last, data.time.length - 1)];
    label.textContent = time.toFixed(2) + ' s';
  }

  function line(path, last, half, scale) {
    pen.beginPath();
    pen.globalAlpha = path.alpha || 0.55; pen.strokeStyle = path.colour; pen.lineWidth = path.width || 1.1;
    const n = path.always ? path.points.length / 3 : Math.min(path.points.length / 3, last + 1);
    let at;
    for (let i = 0; i < n; i++) {
      at = project(path.points[3 * i], path.points[3 * i + 1], path.points[3 * i + 2], half, scale);
      i ? pen.lineTo(at[0], at[1]) : pen.moveTo(at[0], at[1]);
    }
    pen.stroke();
    if (at && !path.always) { pen.beginPath(); pen.fillStyle = path.colour; pen.globalAlpha = 0.9; pen.arc(at[0], at[1], 2, 0, 7); pen.fill(); }
  }

  function axes(half, scale, ink) {
    pen.globalAlpha = 0.45; pen.strokeStyle = ink; pen.fillStyle = ink; pen.lineWidth = 1; pen.font = '12px system-ui, sans-serif';
    const origin = [-1050, -1050, -1050];
    for (let k = 0; k < 3; k++) {
      const tip = origin.slice(); tip[k] = -350;
      const a = project(...origin, half, scale), b = project(...tip, half, scale);
      pen.beginPath(); pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]); pen.stroke();
      pen.fillText(data.names[k], b[0] + 4, b[1]);
    }
  }

  function spot(mark, half, scale, ink) {
    const at = project(...mark.point, half, scale);
    pen.beginPath(); pen.arc(at[0], at[1], 6, 0, 7);
    pen.lineWidth = 2; pen.strokeStyle = mark.hollow ? mark.colour : ink; pen.fillStyle = mark.colour;
    if (!mark.hollow) pen.fill();
    pen.stroke();
  }

  const fingers = new Map();
  canvas.addEventListener('pointerdown', e => { touched = true; fingers.set(e.pointerId, e); canvas.setPointerCapture(e.pointerId); });
  for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, e => fingers.delete(e.pointerId));
  canvas.addEventListener('pointermove', e => {
    if (!fingers.has(e.pointerId)) return;
    const was = fingers.get(e.pointerId), gap = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY); };
    const before = fingers.size === 2 ? gap() : 0;
    fingers.set(e.pointerId, e);
    if (before) zoom = Math.min(6, Math.max(0.4, zoom * gap() / before));
    else { yaw += (e.clientX - was.clientX) / 160; pitch = Math.min(1.57, Math.max(-1.57, pitch + (e.clientY - was.clientY) / 160)); }
    draw();
  });
  canvas.addEventListener('wheel', e => { if (!touched) return; e.preventDefault(); zoom = Math.min(6, Math.max(0.4, zoom * Math.exp(-e.deltaY / 700))); draw(); }, { passive: false });
  canvas.tabIndex = 0;
  canvas.addEventListener('keydown', e => {
    const turn = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
    if (turn) { e.preventDefault(); touched = true; yaw += turn[0]; pitch += turn[1]; draw(); }
  });
  slider.addEventListener('input', () => { playing = false; button.textContent = 'play'; draw(); });
  button.addEventListener('click', () => {
    playing = !playing; button.textContent = playing ? 'pause' : 'play';
    if (playing && Number(slider.value) >= longest - 1) slider.value = 0;
    if (playing) requestAnimationFrame(tick);
  });
  let clock = 0;
  function tick(now) {
    if (!playing) return;
    if (now - clock > 40) {
      clock = now; slider.value = Number(slider.value) + Math.max(1, longest / 120); if (!still) yaw += 0.004;
      if (Number(slider.value) >= longest - 1) { playing = false; button.textContent = 'play'; }
      draw();
    }
    requestAnimationFrame(tick);
  }
  new ResizeObserver(draw).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
}
