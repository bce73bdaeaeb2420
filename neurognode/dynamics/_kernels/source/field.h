// One evaluation of a gated field on a block of trials, and its reverse.
#pragma once
#include "panels.h"

enum Method { EULER, EXPONENTIAL_EULER, RK4, MIDPOINT };

// Where in a step each stage is evaluated, and how much it counts; a stage starts from the change of the last one.
struct Tableau {
  int stages;
  double node[4], share[4];
  explicit Tableau(int method) : stages(1), node{0, 0.5, 0.5, 1}, share{1} {
    if (method == RK4) {
      stages = 4;
      share[0] = share[3] = 1.0 / 6;
      share[1] = share[2] = 1.0 / 3;
    } else if (method == MIDPOINT) {
      stages = 2;
      share[0] = 0;
      share[1] = 1;
    }
  }
};

constexpr int MAX_LAYERS = 16;

// Mirrored, field by field, by the ctypes structure in cpu.py.
struct Spec {
  int64_t members, batch, times, latent, inputs, input_members, method, substeps, activation, linear, threads;
  int64_t gated, lengths, layers[2];          // layers: matrices of the drift and of the gate
  int64_t widths[2][MAX_LAYERS];              // outputs of each matrix
  double bound, gate_slope;                   // bound 0: none
};

// Where everything lies, in rows of one block: a record per evaluation, and its deltas.
struct Layout {
  int n, p, branches, activation, method;
  bool slopes;
  double bound;
  std::vector<int> out[2], in[2];            // outputs and (bias included) inputs of each matrix
  std::vector<long> z[2], slope[2], delta[2], theta[2];
  long record = 0, deltas = 0, parameters = 0;
  long result[2], step_weight;

  explicit Layout(const Spec& s)
      : n(int(s.latent)), p(int(s.inputs)), branches(s.gated ? 2 : 1), activation(int(s.activation)),
        method(int(s.method)), slopes(keeps_slope(int(s.activation))), bound(s.bound) {
    record = n + p + 1;
    for (int b = 0; b < branches; b++)
      for (int l = 0; l < s.layers[b]; l++) {
        out[b].push_back(int(s.widths[b][l]));
        in[b].push_back(l ? out[b][l - 1] + 1 : n + p + 1);
        theta[b].push_back(parameters);
        parameters += long(out[b][l]) * in[b][l];
        delta[b].push_back(deltas);
        deltas += out[b][l];
        if (l + 1 == s.layers[b]) continue;
        z[b].push_back(record);
        record += out[b][l] + 1;
        slope[b].push_back(record);
        if (slopes) record += out[b][l];
      }
    for (int b = 0; b < 2; b++) result[b] = record + b * n;
    record += branches * n;
    step_weight = record;
    if (method == EXPONENTIAL_EULER) record += n;
  }
  // Elements of the sums of weight gradients that panels handle, and of the space they need.
  template <class P> std::pair<long, long> panels() const {
    long sums = 0, space = 0;
    for (int b = 0; b < branches; b++)
      for (size_t l = 0; l < out[b].size(); l++)
        if (const long own = P::sums(out[b][l], in[b][l])) {
          sums += own;
          space = std::max(space, P::space(out[b][l]));
        }
    return {sums, space};
  }
  int last(int b) const { return int(out[b].size()) - 1; }
};

// Weights come and gradients go tensor after tensor, each with its members one after the other: the matrix of a layer,
// for the first its input matrix, its bias. Here a member is one stretch, in which a layer is rows of [matrix, input
// matrix, bias], and the last layer of the gate holds its slope.
template <class Use> void each_piece(const Spec& s, const Layout& at, Use use) {
  long start = 0;
  for (int b = 0; b < at.branches; b++)
    for (int l = 0; l <= at.last(b); l++) {
      const int in = at.in[b][l], inner = l ? in - 1 : at.n, drive = in - 1 - inner;
      const double factor = b == 1 && l == at.last(b) ? s.gate_slope : 1;
      for (auto [column, width] : {std::pair{0, inner}, std::pair{inner, drive}, std::pair{in - 1, 1}}) {
        const long size = long(at.out[b][l]) * width;
        for (int64_t member = 0; member < s.members; member++, start += size)
          for (long row = 0; row < at.out[b][l]; row++)
            use(start + row * width, member * at.parameters + at.theta[b][l] + row * in + column, width, factor);
      }
    }
}

template <class T> std::vector<T> to_rows(const Spec& s, const Layout& at, const T* flat) {
  std::vector<T> rows(size_t(s.members) * at.parameters);
  each_piece(s, at, [&](long from, long to, int width, double factor) {
    for (int i = 0; i < width; i++) rows[to + i] = T(factor) * flat[from + i];
  });
  return rows;
}

template <class T> void from_rows(const Spec& s, const Layout& at, const std::vector<T>& rows, T* flat) {
  each_piece(s, at, [&](long to, long from, int width, double factor) {
    for (int i = 0; i < width; i++) flat[to + i] = T(factor) * rows[from + i];
  });
}

// Weights of one member, packed for the forward and the backward products.
template <class T> struct Packed {
  std::vector<std::vector<T>> forward[2], backward[2];

  // `back_rows` is how many of the rows (state, then input) the reverse sweep of the first layer fills.
  void set(const Layout& at, const T* theta, int back_rows) {
    for (int b = 0; b < at.branches; b++) {
      forward[b].resize(at.out[b].size());
      backward[b].resize(at.out[b].size());
      for (size_t l = 0; l < at.out[b].size(); l++) {
        const T* w = theta + at.theta[b][l];
        pack(at.out[b][l], at.in[b][l], w, at.in[b][l], 1, forward[b][l]);
        pack(l ? at.in[b][l] - 1 : back_rows, at.out[b][l], w, 1, at.in[b][l], backward[b][l]);
      }
    }
  }
};

template <class S, int V> struct Field {
  using T = typename S::T;
  using Vec = typename S::V;
  static constexpr int L = S::lanes, BL = S::lanes * V;
  const Layout& at;
  const Packed<T>& weights;

  // Evaluate drift and gate for the state, input and bias row at the head of the record.
  void evaluate(T* record) const {
    for (int b = 0; b < at.branches; b++) {
      const T* in = record;
      const int last = at.last(b);
      for (int l = 0; l < last; l++) {
        T *out = record + at.z[b][l] * BL, *slope = record + at.slope[b][l] * BL;
        multiply<S, V, false>(at.out[b][l], at.in[b][l], weights.forward[b][l].data(), in, out,
                              [&](int m, int rows) {
                                activate<S>(at.activation, rows * V, out + m * BL, slope + m * BL);
                              });
        for (int v = 0; v < V; v++) S::store(out + (at.out[b][l] * V + v) * L, S::all(1));
        in = out;
      }
      T* out = record + at.result[b] * BL;
      multiply<S, V, false>(at.n, at.in[b][last], weights.forward[b][last].data(), in, out, [](int, int) {});
      finish(b, out);
    }
  }

  void finish(int branch, T* out) const {
    const int count = at.n * V;
    if (branch == 1)
      for (int q = 0; q < count; q++) S::store(out + q * L, S::sigmoid(S::load(out + q * L)));
    else if (at.bound > 0) {
      const T scale = T(at.bound), inverse = T(1 / at.bound);
      for (int q = 0; q < count; q++) S::store(out + q * L, scale * S::tanh(inverse * S::load(out + q * L)));
    }
  }

  // Change of the state in this evaluation; share[i] = dt / tau_i, and mask is 0 where a trial has ended.
  void slope(T* record, const T* share, const T* mask, T* change) const {
    const T *f = record + at.result[0] * BL, *g = record + at.result[1] * BL;
    T* weight = record + at.step_weight * BL;
    for (int i = 0; i < at.n; i++)
      for (int v = 0; v < V; v++) {
        const int q = (i * V + v) * L;
        Vec w = at.branches == 2 ? share[i] * S::load(g + q) : S::all(share[i]);
        if (at.method == EXPONENTIAL_EULER) {
          w = S::one_minus_exp(w);
          S::store(weight + q, w);
        }
        S::store(change + q, S::load(mask + v * L) * w * (S::load(f + q) - S::load(record + q)));
      }
  }

  // Given the gradient of `change`, fill the deltas and overwrite the gradient of state (and input) rows.
  // `rate` collects the gradient with respect to 1 / tau_i.
  void reverse(const T* record, const T* share, const T* mask, T dt, const T* gradient, T* deltas, T* back,
               int back_rows, T* rate) const {
    const T *f = record + at.result[0] * BL, *g = record + at.result[1] * BL;
    const T* weight = record + at.step_weight * BL;
    T* df = deltas + at.delta[0][at.last(0)] * BL;
    T* dg = at.branches == 2 ? deltas + at.delta[1][at.last(1)] * BL : nullptr;
    const T inverse = at.bound > 0 ? T(1 / at.bound) : T(0);
    for (int i = 0; i < at.n; i++)
      for (int v = 0; v < V; v++) {
        const int q = (i * V + v) * L;
        const Vec gate = dg ? S::load(g + q) : S::all(1), target = S::load(f + q);
        const Vec gap = S::load(gradient + q) * S::load(mask + v * L) * (target - S::load(record + q));
        Vec w = share[i] * gate, left = S::all(1);
        if (at.method == EXPONENTIAL_EULER) {
          w = S::load(weight + q);
          left = T(1) - w;
        }
        const Vec e = S::load(gradient + q) * S::load(mask + v * L) * w, bounded = target * inverse;
        S::store(df + q, e * (T(1) - bounded * bounded));
        S::store(back + q, -e);
        if (dg) S::store(dg + q, gap * left * share[i] * gate * (T(1) - gate));
        S::store(rate + q, S::load(rate + q) + dt * gap * left * gate);
      }
    for (int q = at.n * V; q < back_rows * V; q++) S::store(back + q * L, S::all(0));
    for (int b = 0; b < at.branches; b++) {
      const T* cursor = deltas + at.delta[b][at.last(b)] * BL;
      for (int l = at.last(b); l >= 1; l--) {
        T* out = deltas + at.delta[b][l - 1] * BL;
        const T *y = record + at.z[b][l - 1] * BL, *kept = record + at.slope[b][l - 1] * BL;
        multiply<S, V, false>(at.out[b][l - 1], at.out[b][l], weights.backward[b][l].data(), cursor, out,
                              [&](int m, int rows) {
                                deactivate<S>(at.activation, rows * V, out + m * BL, y + m * BL, kept + m * BL);
                              });
        cursor = out;
      }
      multiply<S, V, true>(back_rows, at.out[b][0], weights.backward[b][0].data(), cursor, back,
                           [](int, int) {});
    }
  }

  // Add the weight gradients of `stages` consecutive evaluations, to `sums` where panels handle them.
  void collect(int stages, const T* records, const T* deltas, T* gradient, T* sums, T* space) const {
    const long rs = at.record * BL, ds = at.deltas * BL;
    for (int b = 0; b < at.branches; b++)
      for (size_t l = 0; l < at.out[b].size(); l++) {
        const int rows = at.out[b][l], all = at.in[b][l], done = Panels<S, V>::columns(rows, all);
        const T *d = deltas + at.delta[b][l] * BL, *x = records + (l ? at.z[b][l - 1] : 0) * BL;
        if (done) Panels<S, V>::add(rows, all, stages, d, ds, x, rs, sums, space);
        sums += Panels<S, V>::sums(rows, all);
        weight_gradient<S, V>(rows, all - done, stages, d, ds, x + long(done) * BL, rs,
                              gradient + at.theta[b][l] + done, all);
      }
  }

  void collect_sums(const T* sums, T* gradient) const {
    for (int b = 0; b < at.branches; b++)
      for (size_t l = 0; l < at.out[b].size(); l++) {
        Panels<S, V>::finish(at.out[b][l], at.in[b][l], sums, gradient + at.theta[b][l]);
        sums += Panels<S, V>::sums(at.out[b][l], at.in[b][l]);
      }
  }
};
