// Weight gradients as products along the trials: deltas and inputs are turned so that the trials of some stages become
// the depth of a product, which then runs as fast as any other. It pays where both sides are wide.
#pragma once
#include "gemm.h"
#include "turn.h"

template <class S, int V> struct Panels {
  using T = typename S::T;
  static constexpr int L = S::lanes, BL = L * V, WIDTH = 2 * L, DEPTH = 256;
  static constexpr bool able = CAN_TURN && L == NATIVE_BYTES / int(sizeof(T));

  // Columns of the input that are handled here, in blocks of WIDTH; the few left over are not worth a block.
  static int columns(int rows, int all) {
    if (!able || rows < 8 || all < 12) return 0;
    const int left = all % L;
    return left > L / 5 ? all : all - left;
  }
  static long blocks(int rows, int all) { return (columns(rows, all) + WIDTH - 1) / WIDTH; }
  static long sums(int rows, int all) { return blocks(rows, all) * rows * WIDTH; }
  static int width(int left) { return left > L ? WIDTH : L; }
  static int stages_together() { return std::max(1, DEPTH / BL); }
  static long space(int rows) { return long(rows + WIDTH) * stages_together() * BL + L; }

  // sums (block, row, width) += over stages and trials of delta (rows) times input (columns)
  static void add(int rows, int all, int stages, const T* d, long ds, const T* x, long xs, T* sums, T* space) {
#if CAN_TURN
    const int wanted = columns(rows, all);
    T* turned = space + long(rows) * stages_together() * BL + L;
    for (int s0 = 0; s0 < stages; s0 += stages_together()) {
      const int together = std::min(stages_together(), stages - s0), depth = together * BL;
      for (int m = 0; m < rows; m += panel_rows(rows - m)) turn_deltas(rows, m, together, d + s0 * ds, ds, space);
      for (int c = 0; c < wanted; c += WIDTH) {
        const int wide = width(wanted - c);
        for (int s = 0; s < together; s++)
          for (int v = 0; v < V; v++)
            for (int part = 0; part < wide; part += L)
              turn<S>(x + (s0 + s) * xs + (long(c + part) * V + v) * L, BL, std::min(L, wanted - c - part),
                      turned + long(s * V + v) * L * wide + part, wide);
        if (wide == L)
          multiply<S, 1, true>(rows, depth, space, turned, sums + long(c) * rows, [](int, int) {});
        else
          multiply<S, 2, true>(rows, depth, space, turned, sums + long(c) * rows, [](int, int) {});
      }
    }
#endif
  }

  static void finish(int rows, int all, const T* sums, T* w) {
    const int wanted = columns(rows, all);
    for (int c = 0; c < wanted; c += WIDTH)
      for (int m = 0; m < rows; m++)
        for (int i = 0; i < std::min(WIDTH, wanted - c); i++)
          w[long(m) * all + c + i] += sums[long(c) * rows + m * width(wanted - c) + i];
  }

 private:
#if CAN_TURN
  // One panel of rows, trial by trial. What a store leaves beyond its row is overwritten by a later one.
  static void turn_deltas(int rows, int m, int together, const T* d, long ds, T* space) {
    const int width = panel_rows(rows - m);
    T* panel = space + long(m) * together * BL;
    for (int s = 0; s < together; s++)
      for (int v = 0; v < V; v++)
        for (int first = (width - 1) / L * L; first >= 0; first -= L)
          turn<S>(d + s * ds + (long(m + first) * V + v) * L, BL, std::min(L, width - first),
                  panel + long(s * V + v) * L * width + first, width);
  }
#endif
};
