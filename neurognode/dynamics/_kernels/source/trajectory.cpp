// Entry points: cut the trials of all members into blocks, and share the blocks among threads.
#include <thread>

#include "block.h"

#ifndef REAL
#define REAL float
#endif

using Real = REAL;
constexpr int WIDE = 2 * NATIVE_BYTES / int(sizeof(Real));  // trials in the widest block

namespace {

template <class Use> void with_block(int64_t lanes, Use use) {
  constexpr int one = NATIVE_BYTES / int(sizeof(Real));
  if (lanes == 2 * one)
    use(Simd<Real, NATIVE_BYTES>{}, std::integral_constant<int, 2>{});
  else if (lanes == one)
    use(Simd<Real, NATIVE_BYTES>{}, std::integral_constant<int, 1>{});
  else if (NATIVE_BYTES == 64 && lanes == one / 2)
    use(Simd<Real, NATIVE_BYTES == 64 ? 32 : 16>{}, std::integral_constant<int, 1>{});
  else
    use(Simd<Real, 16>{}, std::integral_constant<int, 1>{});
}

int64_t block_width(int64_t remaining, int64_t widest) {
  int64_t lanes = widest;
  while (lanes / 2 >= remaining && lanes / 2 >= 16 / int64_t(sizeof(Real))) lanes /= 2;
  return lanes;
}

struct Plan {
  std::vector<Task> tasks;
  int64_t store = 0;

  Plan(const Spec& s, const Layout& at) {
    int64_t widest = WIDE;
    const int64_t least = WIDE / 2;  // half-empty vectors take as long as full ones
    while (widest > least && s.members * ((s.batch + widest - 1) / widest) < s.threads) widest /= 2;
    const int64_t evaluations = (s.times - 1) * s.substeps * Tableau(int(s.method)).stages;
    for (int64_t member = 0; member < s.members; member++)
      for (int64_t first = 0; first < s.batch;) {
        const int64_t lanes = block_width(s.batch - first, widest);
        tasks.push_back({member, first, std::min(lanes, s.batch - first), lanes, store});
        store += (evaluations * at.record * lanes + 63) / 64 * 64;
        first += lanes;
      }
  }
};

size_t scratch_of(const Spec& s, const Layout& at, bool reverse, bool stored, int width = 0) {
  size_t most = 0;
  for (int lanes = WIDE; lanes >= 16 / int(sizeof(Real)); lanes /= 2) {
    Arena<Real> arena{nullptr};
    Scratch<Real> measured(arena, s, at, lanes, reverse, stored, width);
    most = std::max(most, arena.used);
  }
  return most;
}

template <class Work> void share_out(size_t n_tasks, int64_t threads, Work work) {
  const size_t n = std::max<size_t>(1, std::min<size_t>(threads, n_tasks));
  std::vector<std::thread> others;
  for (size_t i = 1; i < n; i++) others.emplace_back(work, i, n_tasks * i / n, n_tasks * (i + 1) / n);
  work(0, 0, n_tasks / n);
  for (auto& thread : others) thread.join();
}

// Run `use(block, member changed)` for tasks [begin, end) with one thread's scratch.
template <class Use>
void run_tasks(const Spec& s, const Layout& at, const Plan& plan, const Arrays<Real>& io, Real* scratch,
               const Real* theta, bool reverse, size_t begin, size_t end, Use use) {
  Packed<Real> packed;
  int64_t member = -1;
  const int back_rows = io.gx ? at.n + at.p : at.n;
  for (size_t i = begin; i < end; i++) {
    const Task& task = plan.tasks[i];
    if (task.member != member) packed.set(at, theta + task.member * at.parameters, back_rows);
    member = task.member;
    Arena<Real> arena{scratch};
    Scratch<Real> place(arena, s, at, int(task.lanes), reverse, io.store != nullptr, io.fix.width);
    with_block(task.lanes, [&](auto simd, auto v) {
      use(Block<decltype(simd), decltype(v)::value>(s, at, io, task, packed, place), member);
    });
  }
}

void run_forward(const Spec& s, const Arrays<Real>& io, Real* scratch) {
  const Layout at(s);
  const Plan plan(s, at);
  const size_t each = scratch_of(s, at, false, io.store, io.fix.width);
  const std::vector<Real> theta = to_rows(s, at, io.theta);
  share_out(plan.tasks.size(), s.threads, [&](size_t thread, size_t begin, size_t end) {
    run_tasks(s, at, plan, io, scratch + thread * each, theta.data(), false, begin, end,
              [](const auto& block, int64_t) { block.forward(); });
  });
}

void run_backward(const Spec& s, const Arrays<Real>& io, Real* scratch) {
  const Layout at(s);
  const Plan plan(s, at);
  const size_t each = scratch_of(s, at, true, io.store, io.fix.width), per = size_t(at.parameters) + at.n;
  const std::vector<Real> theta = to_rows(s, at, io.theta);
  std::vector<std::vector<Real>> partial(std::max<int64_t>(1, s.threads));
  std::vector<int64_t> start(partial.size(), 0);
  share_out(plan.tasks.size(), s.threads, [&](size_t thread, size_t begin, size_t end) {
    if (begin == end) return;
    start[thread] = plan.tasks[begin].member;
    partial[thread].assign(size_t(plan.tasks[end - 1].member - start[thread] + 1) * per, Real(0));
    run_tasks(s, at, plan, io, scratch + thread * each, theta.data(), true, begin, end,
              [&](const auto& block, int64_t member) {
                Real* sum = partial[thread].data() + size_t(member - start[thread]) * per;
                block.reverse(sum, sum + at.parameters);
              });
  });
  std::vector<Real> gtheta(theta.size(), Real(0));
  for (size_t thread = 0; thread < partial.size(); thread++)  // in a fixed order: the same sum every time
    for (size_t m = 0; m * per < partial[thread].size(); m++) {
      const Real* sum = partial[thread].data() + m * per;
      const int64_t member = start[thread] + int64_t(m);
      for (long q = 0; q < at.parameters; q++) gtheta[member * at.parameters + q] += sum[q];
      for (int i = 0; i < at.n; i++) io.grate[member * at.n + i] += sum[at.parameters + i];
    }
  from_rows(s, at, gtheta, io.gtheta);
}

}  // namespace

extern "C" {

// Sizes in elements: parameters of a member, stored records, scratch of one thread forward and backward.
void ng_sizes(const Spec* s, int64_t stored, int64_t* sizes) {
  const Layout at(*s);
  sizes[0] = at.parameters;
  sizes[1] = Plan(*s, at).store;
  sizes[2] = int64_t(scratch_of(*s, at, false, stored));
  sizes[3] = int64_t(scratch_of(*s, at, true, stored));
}

void ng_forward(const Spec* s, const Real* theta, const Real* rate, const Real* h0, const Real* x,
                const double* dt, const int64_t* lengths, Real* out, Real* store, Real* scratch) {
  run_forward(*s, {theta, rate, h0, x, dt, lengths, out, store, nullptr, nullptr, nullptr, nullptr, nullptr, {}},
              scratch);
}

// grate and gx must be zero on entry; gx may be null.
void ng_backward(const Spec* s, const Real* theta, const Real* rate, const Real* h0, const Real* x,
                 const double* dt, const int64_t* lengths, Real* out, Real* store, const Real* gout,
                 Real* gtheta, Real* grate, Real* gh0, Real* gx, Real* scratch) {
  run_backward(*s, {theta, rate, h0, x, dt, lengths, out, store, gout, gtheta, grate, gh0, gx, {}}, scratch);
}

// The same with corrections of `width`; sizes[0] and [1] are scratch of one thread forward and backward.
void ng_corrected_sizes(const Spec* s, int64_t stored, int64_t width, int64_t* sizes) {
  const Layout at(*s);
  sizes[0] = int64_t(scratch_of(*s, at, false, stored, int(width)));
  sizes[1] = int64_t(scratch_of(*s, at, true, stored, int(width)));
}

void ng_corrected_forward(const Spec* s, int64_t width, const Real* theta, const Real* rate, const Real* h0,
                          const Real* x, const Real* keep, const Real* anchor, const double* dt, Real* out,
                          Real* prediction, Real* store, Real* scratch) {
  const Corrections<Real> fix{int(width), keep, anchor, prediction, nullptr, nullptr, nullptr};
  run_forward(*s, {theta, rate, h0, x, dt, nullptr, out, store, nullptr, nullptr, nullptr, nullptr, nullptr, fix},
              scratch);
}

// grate and gx must be zero on entry; gx may be null.
void ng_corrected_backward(const Spec* s, int64_t width, const Real* theta, const Real* rate, const Real* h0,
                           const Real* x, const Real* keep, const Real* anchor, const double* dt, Real* out,
                           Real* prediction, Real* store, const Real* gout, const Real* gprediction, Real* gtheta,
                           Real* grate, Real* gh0, Real* gx, Real* gkeep, Real* ganchor, Real* scratch) {
  const Corrections<Real> fix{int(width), keep, anchor, prediction, gprediction, gkeep, ganchor};
  run_backward(*s, {theta, rate, h0, x, dt, nullptr, out, store, gout, gtheta, grate, gh0, gx, fix}, scratch);
}
}
