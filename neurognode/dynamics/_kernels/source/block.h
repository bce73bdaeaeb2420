// Whole trajectories of one block of trials: forward, and the reverse sweep.
#pragma once
#include "field.h"

// After every interval a state may be corrected: anchor + keep * prediction, where the prediction is what the field
// alone leads to. `width` is 0 without corrections, N for a diagonal keep, N * N for a matrix.
template <class T> struct Corrections {
  int width = 0;
  const T *keep = nullptr, *anchor = nullptr;
  T* prediction = nullptr;
  const T* gprediction = nullptr;
  T *gkeep = nullptr, *ganchor = nullptr;
};

template <class T> struct Arrays {
  const T *theta, *rate, *h0, *x;  // rate = 1 / tau
  const double* dt;
  const int64_t* lengths;
  T *out, *store;
  const T* gout;
  T *gtheta, *grate, *gh0, *gx;
  Corrections<T> fix;
};

struct Task {
  int64_t member, first, count, lanes, store_offset;
};

// Hands out pieces of one buffer; without a buffer it only measures.
template <class T> struct Arena {
  T* base;
  size_t used = 0;
  T* take(size_t count) {
    T* piece = base ? base + used : nullptr;
    used += (count + 63) / 64 * 64;
    return piece;
  }
};

// Intervals handled together in the forward and in the reverse sweep.
struct Chunking {
  int forward, backward, evaluations;
  Chunking(const Spec& s, const Layout& at, int lanes, size_t item) {
    evaluations = int(s.substeps) * Tableau(int(s.method)).stages;
    const int most = int(std::max<int64_t>(1, s.times - 1));
    forward = std::min(most, std::clamp(8192 / ((at.n + at.p) * lanes), 1, 64));
    const size_t bytes = size_t(at.record + at.deltas) * lanes * item;
    const int stages = int(std::clamp<size_t>((size_t(1) << 20) / bytes, 8, 64));
    backward = std::min(most, std::max(1, stages / evaluations));
  }
};

template <class T> struct Scratch {
  T *h, *k, *sum, *mask, *share, *x, *states, *record;           // forward
  T *deltas, *lambda, *back, *gradient, *total, *rate, *gout, *gx;  // reverse
  T *keep, *anchor, *prediction, *gprediction, *gkeep, *ganchor;    // corrections
  T *sums, *space;                                                  // panels of weight gradients
  long n_sums = 0;

  Scratch(Arena<T>& arena, const Spec& s, const Layout& at, int lanes, bool reverse, bool stored, int width) {
    const Chunking chunk(s, at, lanes, sizeof(T));
    const size_t row = size_t(at.n) * lanes, wide = size_t(at.n + at.p) * lanes;
    const size_t intervals = reverse ? chunk.backward : chunk.forward;
    for (T** p : {&h, &k, &sum}) *p = arena.take(row);
    mask = arena.take(lanes);
    share = arena.take(at.n);
    x = arena.take((intervals + 1) * at.p * lanes);
    states = arena.take((intervals + 1) * row);
    record = nullptr;
    if (!stored) record = arena.take(size_t(at.record) * lanes * chunk.evaluations * (reverse ? intervals : 1));
    keep = arena.take(width * lanes * intervals);
    const size_t corrected = width ? intervals * row : 0;
    for (T** p : {&anchor, &prediction}) *p = arena.take(corrected);
    if (!reverse) return;
    for (T** p : {&gprediction, &ganchor}) *p = arena.take(corrected);
    gkeep = arena.take(width * lanes * intervals);
    deltas = arena.take(size_t(at.deltas) * lanes * chunk.evaluations * intervals);
    for (T** p : {&lambda, &gradient, &total, &rate}) *p = arena.take(row);
    back = arena.take(wide);
    gout = arena.take(intervals * row);
    gx = arena.take((intervals + 1) * at.p * lanes);
    using Widest = Panels<Simd<T, NATIVE_BYTES>, 1>;
    const auto panels = lanes < Widest::L ? std::pair<long, long>{0, 0} : at.panels<Widest>();
    n_sums = panels.first;
    sums = arena.take(panels.first);
    space = arena.take(panels.second);
  }
};

template <class S, int V> struct Block {
  using T = typename S::T;
  static constexpr int L = S::lanes, BL = S::lanes * V;
  const Spec& spec;
  const Layout& at;
  const Arrays<T>& io;
  const Task& task;
  Field<S, V> field;
  Scratch<T>& w;
  Chunking chunk;
  Tableau tableau;
  int64_t n_times, trials;
  int count, last;  // trials here, and the last time at which any of them runs

  Block(const Spec& s, const Layout& a, const Arrays<T>& arrays, const Task& t, const Packed<T>& packed,
        Scratch<T>& scratch)
      : spec(s), at(a), io(arrays), task(t), field{a, packed}, w(scratch), chunk(s, a, BL, sizeof(T)),
        tableau(int(s.method)), n_times(s.times), trials(s.batch), count(int(t.count)), last(int(s.times) - 1) {
    if (!spec.lengths) return;
    last = 0;
    for (int l = 0; l < count; l++) last = std::max(last, int(length(l)) - 1);
  }

  int64_t trial(int lane) const { return task.member * trials + task.first + lane; }
  int64_t length(int lane) const { return io.lengths[trial(lane)]; }

  // The rows of `steps` of the `all` steps of every trial here, `width` wide, from trial-major memory, and back.
  void gather_steps(const T* base, int64_t all, int t0, int steps, int width, T* to) const {
    gather<S, V>(base + (trial(0) * all + t0) * width, all * width, count, steps * width, to);
  }

  void scatter_steps(const T* from, T* base, int64_t all, int t0, int steps, int width) const {
    scatter<S, V>(from, count, steps * width, base + (trial(0) * all + t0) * width, all * width);
  }

  void load_inputs(int t0, int steps) const {
    if (!at.p) return;
    const int wanted = std::min<int>(steps + 1, int(n_times) - t0);
    const int64_t member = spec.input_members == 1 ? 0 : task.member;
    const T* from = io.x + ((member * trials + task.first) * n_times + t0) * at.p;
    gather<S, V>(from, n_times * at.p, count, wanted * at.p, w.x);
  }

  void begin_interval(int t) const {
    for (int l = 0; l < BL; l++) w.mask[l] = l < count && (!spec.lengths || t + 1 < length(l));
    const double dt = io.dt[t] / double(spec.substeps);
    for (int i = 0; i < at.n; i++) w.share[i] = T(dt * double(io.rate[task.member * at.n + i]));
  }

  // where in its interval stage `s` of substep `sub` reads the input
  T fraction(int sub, int s) const {
    return (T(sub) + T(tableau.node[s])) / T(spec.substeps);
  }

  void set_inputs(T* record, int interval, T alpha) const {
    T* to = record + at.n * BL;
    const T *here = w.x + long(interval) * at.p * BL, *there = here + at.p * BL;
    if (!spec.linear)
      std::memcpy(to, here, sizeof(T) * at.p * BL);
    else
      for (int q = 0; q < at.p * BL; q++) to[q] = here[q] + alpha * (there[q] - here[q]);
    for (int v = 0; v < V; v++) S::store(to + (at.p * V + v) * L, S::all(1));
  }

  // One substep from w.h, in place; `record` holds one record per stage.
  void step(T* record, int interval, int sub) const {
    const long stride = at.record * BL;
    const int size = at.n * V;
    if (tableau.stages == 1) {
      std::memcpy(record, w.h, sizeof(T) * at.n * BL);
      set_inputs(record, interval, fraction(sub, 0));
      field.evaluate(record);
      field.slope(record, w.share, w.mask, w.k);
      for (int q = 0; q < size; q++) S::store(w.h + q * L, S::load(w.h + q * L) + S::load(w.k + q * L));
      return;
    }
    for (int s = 0; s < tableau.stages; s++) {
      T* r = record + s * stride;
      const T c = T(tableau.node[s]), share = T(tableau.share[s]);
      for (int q = 0; q < size; q++)
        S::store(r + q * L, s ? S::load(w.h + q * L) + c * S::load(w.k + q * L) : S::load(w.h + q * L));
      set_inputs(r, interval, fraction(sub, s));
      field.evaluate(r);
      field.slope(r, w.share, w.mask, w.k);
      for (int q = 0; q < size; q++)
        S::store(w.sum + q * L, (s ? S::load(w.sum + q * L) : S::all(0)) + share * S::load(w.k + q * L));
    }
    for (int q = 0; q < size; q++) S::store(w.h + q * L, S::load(w.h + q * L) + S::load(w.sum + q * L));
  }

  T* stored(int64_t evaluation) const {
    return io.store + task.store_offset + evaluation * at.record * BL;
  }

  void forward() const {
    gather_steps(io.h0, 1, 0, 1, at.n, w.h);
    scatter_steps(w.h, io.out, n_times, 0, 1, at.n);
    for (int t0 = 0; t0 < n_times - 1; t0 += chunk.forward) {
      const int steps = std::min<int>(chunk.forward, int(n_times) - 1 - t0);
      if (t0 < last) load_inputs(t0, steps);
      if (io.fix.width) load_corrections(t0, steps);
      for (int j = 0; j < steps; j++) {
        const int t = t0 + j;
        if (t < last) {
          begin_interval(t);
          for (int sub = 0; sub < spec.substeps; sub++) {
            const int64_t evaluation = int64_t(t) * chunk.evaluations + sub * tableau.stages;
            step(io.store ? stored(evaluation) : w.record, j, sub);
          }
          if (io.fix.width) correct(j);
        }
        std::memcpy(w.states + long(j) * at.n * BL, w.h, sizeof(T) * at.n * BL);
      }
      scatter_steps(w.states, io.out, n_times, t0 + 1, steps, at.n);
      if (io.fix.width) scatter_steps(w.prediction, io.fix.prediction, n_times - 1, t0, steps, at.n);
    }
  }

  void load_corrections(int t0, int steps) const {
    gather_steps(io.fix.keep, n_times - 1, t0, steps, io.fix.width, w.keep);
    gather_steps(io.fix.anchor, n_times - 1, t0, steps, at.n, w.anchor);
  }

  void correct(int j) const {
    const int n = at.n;
    const bool full = io.fix.width > n || n == 1;
    T *prediction = w.prediction + long(j) * n * BL;
    const T *keep = w.keep + long(j) * io.fix.width * BL, *anchor = w.anchor + long(j) * n * BL;
    std::memcpy(prediction, w.h, sizeof(T) * n * BL);
    for (int i = 0; i < n; i++)
      for (int v = 0; v < V; v++) {
        auto value = S::load(anchor + (i * V + v) * L);
        if (full)
          for (int k = 0; k < n; k++)
            value += S::load(keep + ((i * n + k) * V + v) * L) * S::load(prediction + (k * V + v) * L);
        else
          value += S::load(keep + (i * V + v) * L) * S::load(prediction + (i * V + v) * L);
        S::store(w.h + (i * V + v) * L, value);
      }
  }

  // w.lambda from the gradient of the corrected state to that of the prediction
  void reverse_correct(int j) const {
    const int n = at.n;
    const bool full = io.fix.width > n || n == 1;
    const long row = long(j) * n * BL, wide = long(j) * io.fix.width * BL;
    const T *keep = w.keep + wide, *prediction = w.prediction + row, *from = w.gprediction + row;
    T *gkeep = w.gkeep + wide, *ganchor = w.ganchor + row;
    std::memcpy(ganchor, w.lambda, sizeof(T) * n * BL);
    for (int i = 0; i < n; i++)
      for (int v = 0; v < V; v++) {
        const auto lambda = S::load(ganchor + (i * V + v) * L);
        auto back = S::load(from + (i * V + v) * L);
        if (full)
          for (int k = 0; k < n; k++) {
            S::store(gkeep + ((i * n + k) * V + v) * L, lambda * S::load(prediction + (k * V + v) * L));
            back += S::load(keep + ((k * n + i) * V + v) * L) * S::load(ganchor + (k * V + v) * L);
          }
        else {
          S::store(gkeep + (i * V + v) * L, lambda * S::load(prediction + (i * V + v) * L));
          back += S::load(keep + (i * V + v) * L) * lambda;
        }
        S::store(w.lambda + (i * V + v) * L, back);
      }
  }

  // Reverse of one substep: w.lambda in place, deltas filled, input gradients added.
  void reverse_step(const T* record, T* deltas, int interval, int sub, T dt, int back_rows) const {
    const long rs = at.record * BL, ds = at.deltas * BL;
    const int size = at.n * V;
    if (tableau.stages == 1) {
      field.reverse(record, w.share, w.mask, dt, w.lambda, deltas, w.back, back_rows, w.rate);
      for (int q = 0; q < size; q++)
        S::store(w.lambda + q * L, S::load(w.lambda + q * L) + S::load(w.back + q * L));
      add_input_gradient(interval, fraction(sub, 0), back_rows);
      return;
    }
    std::memcpy(w.total, w.lambda, sizeof(T) * at.n * BL);
    const int last_stage = tableau.stages - 1;
    for (int s = last_stage; s >= 0; s--) {
      const T c = s < last_stage ? T(tableau.node[s + 1]) : T(0), share = T(tableau.share[s]);
      for (int q = 0; q < size; q++) {
        const typename S::V own = share * S::load(w.lambda + q * L);
        S::store(w.gradient + q * L, s < last_stage ? own + c * S::load(w.back + q * L) : own);
      }
      field.reverse(record + s * rs, w.share, w.mask, dt, w.gradient, deltas + s * ds, w.back, back_rows,
                    w.rate);
      for (int q = 0; q < size; q++)
        S::store(w.total + q * L, S::load(w.total + q * L) + S::load(w.back + q * L));
      add_input_gradient(interval, fraction(sub, s), back_rows);
    }
    std::memcpy(w.lambda, w.total, sizeof(T) * at.n * BL);
  }

  void add_input_gradient(int interval, T alpha, int back_rows) const {
    if (back_rows == at.n) return;
    const T* from = w.back + at.n * BL;
    T *here = w.gx + long(interval) * at.p * BL, *there = here + at.p * BL;
    if (!spec.linear) alpha = 0;
    for (int q = 0; q < at.p * BL; q++) here[q] += (1 - alpha) * from[q];
    if (alpha != 0)
      for (int q = 0; q < at.p * BL; q++) there[q] += alpha * from[q];
  }

  void add_gout(const T* rows) const {
    for (int q = 0; q < at.n * BL; q++) w.lambda[q] += rows[q];
  }

  // Intervals in which every trial here has ended pass the gradient through unchanged.
  void reverse_idle() const {
    for (int l = 0; l < count; l++)
      for (int t = last + 1; t < n_times; t++)
        for (int i = 0; i < at.n; i++)
          w.lambda[i * BL + l] += io.gout[(trial(l) * n_times + t) * at.n + i];
  }

  void reverse(T* weight_gradient, T* rate_gradient) const {
    const int back_rows = io.gx ? at.n + at.p : at.n, stages = tableau.stages;
    std::memset(w.lambda, 0, sizeof(T) * at.n * BL);
    std::memset(w.rate, 0, sizeof(T) * at.n * BL);
    std::memset(w.sums, 0, sizeof(T) * w.n_sums);
    reverse_idle();
    for (int t1 = last; t1 > 0; t1 -= chunk.backward) {
      const int t0 = std::max(0, t1 - chunk.backward), steps = t1 - t0;
      gather_steps(io.gout, n_times, t0 + 1, steps, at.n, w.gout);
      if (io.gx) std::memset(w.gx, 0, sizeof(T) * (steps + 1) * at.p * BL);
      if (!io.store) {
        load_inputs(t0, steps);
        gather_steps(io.out, n_times, t0, steps, at.n, w.states);
      }
      if (io.fix.width) {
        load_corrections(t0, steps);
        gather_steps(io.fix.prediction, n_times - 1, t0, steps, at.n, w.prediction);
        gather_steps(io.fix.gprediction, n_times - 1, t0, steps, at.n, w.gprediction);
      }
      T* records = io.store ? stored(int64_t(t0) * chunk.evaluations) : w.record;
      for (int j = steps - 1; j >= 0; j--) {
        T* record = records + int64_t(j) * chunk.evaluations * at.record * BL;
        T* deltas = w.deltas + int64_t(j) * chunk.evaluations * at.deltas * BL;
        begin_interval(t0 + j);
        if (!io.store) recompute(record, j);
        add_gout(w.gout + long(j) * at.n * BL);
        if (io.fix.width) reverse_correct(j);
        const T dt = T(io.dt[t0 + j] / double(spec.substeps));
        for (int sub = int(spec.substeps) - 1; sub >= 0; sub--)
          reverse_step(record + int64_t(sub) * stages * at.record * BL,
                       deltas + int64_t(sub) * stages * at.deltas * BL, j, sub, dt, back_rows);
      }
      field.collect(steps * chunk.evaluations, records, w.deltas, weight_gradient, w.sums, w.space);
      if (io.gx) write_input_gradient(t0, steps);
      if (io.fix.width) {
        scatter_steps(w.gkeep, io.fix.gkeep, n_times - 1, t0, steps, io.fix.width);
        scatter_steps(w.ganchor, io.fix.ganchor, n_times - 1, t0, steps, at.n);
      }
    }
    field.collect_sums(w.sums, weight_gradient);
    write_state_gradient(rate_gradient);
  }

  void recompute(T* record, int interval) const {
    std::memcpy(w.h, w.states + long(interval) * at.n * BL, sizeof(T) * at.n * BL);
    for (int sub = 0; sub < spec.substeps; sub++)
      step(record + int64_t(sub) * tableau.stages * at.record * BL, interval, sub);
  }

  void write_input_gradient(int t0, int steps) const {
    const int wanted = spec.linear ? steps + 1 : steps;
    for (int l = 0; l < count; l++) {
      T* to = io.gx + (trial(l) * n_times + t0) * at.p;
      for (int q = 0; q < wanted * at.p; q++) to[q] += w.gx[q * BL + l];
    }
  }

  void write_state_gradient(T* rate_gradient) const {
    for (int l = 0; l < count; l++)
      for (int i = 0; i < at.n; i++)
        io.gh0[trial(l) * at.n + i] = w.lambda[i * BL + l] + io.gout[trial(l) * n_times * at.n + i];
    for (int i = 0; i < at.n; i++)
      for (int v = 0; v < V; v++) rate_gradient[i] += S::sum(S::load(w.rate + (i * V + v) * L));
  }
};
