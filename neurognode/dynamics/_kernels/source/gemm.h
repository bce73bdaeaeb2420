// Small matrix products on blocks of trials: rows are units, the lanes of V vectors are trials.
#pragma once
#include <algorithm>
#include <vector>

#include "simd.h"

template <class S, int V, int ROWS, bool ADD>
static void tile(int depth, const typename S::T* w, const typename S::T* in, typename S::T* out) {
  constexpr int L = S::lanes;
  typename S::V sum[ROWS][V];
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[i][v] = S::all(0);
  for (int k = 0; k < depth; k++) {
    typename S::V b[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) b[v] = S::load(in + (k * V + v) * L);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
      const typename S::V a = S::all(w[k * ROWS + i]);
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) sum[i][v] += a * b[v];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      typename S::T* to = out + (i * V + v) * L;
      S::store(to, ADD ? S::load(to) + sum[i][v] : sum[i][v]);  // small sums first: they round less
    }
}

template <class S, int V, bool ADD, int ROWS = TILE_ROWS>
INLINE void any_tile(int rows, int depth, const typename S::T* w, const typename S::T* in,
                      typename S::T* out) {
  if constexpr (ROWS > 0) {
    if (rows == ROWS)
      tile<S, V, ROWS, ADD>(depth, w, in, out);
    else
      any_tile<S, V, ADD, ROWS - 1>(rows, depth, w, in, out);
  }
}

// Rows of the next panel when `left` remain: panels are about equal, as a panel of few rows would keep the processor
// waiting for its own sums.
inline int panel_rows(int left) {
  const int panels = (left + TILE_ROWS - 1) / TILE_ROWS;
  return (left + panels - 1) / panels;
}

// out (rows) = or += packed (rows, depth) times in (depth); `after(row, count)` runs while the tile is hot
template <class S, int V, bool ADD, class After>
INLINE void multiply(int rows, int depth, const typename S::T* packed, const typename S::T* in,
                     typename S::T* out, After after) {
  constexpr int BL = S::lanes * V;
  for (int m = 0; m < rows;) {
    const int r = panel_rows(rows - m);
    any_tile<S, V, ADD>(r, depth, packed + m * depth, in, out + m * BL);
    after(m, r);
    m += r;
  }
}

// Panels of rows, depth by depth; strides let it read a matrix or its transpose.
template <class T>
static void pack(int rows, int depth, const T* w, int row_stride, int column_stride, std::vector<T>& out) {
  out.resize(size_t(rows) * depth);
  T* o = out.data();
  for (int m = 0; m < rows;) {
    const int r = panel_rows(rows - m);
    for (int k = 0; k < depth; k++)
      for (int i = 0; i < r; i++) *o++ = w[(m + i) * long(row_stride) + k * long(column_stride)];
    m += r;
  }
}

template <class S, int V, int R, int C>
static void gradient_tile(int stages, const typename S::T* d, long d_stride, const typename S::T* x,
                          long x_stride, typename S::T* w, int ldw) {
  constexpr int L = S::lanes;
  typename S::V sum[R][C];
#pragma GCC unroll 8
  for (int i = 0; i < R; i++)
#pragma GCC unroll 8
    for (int j = 0; j < C; j++) sum[i][j] = S::all(0);
  for (int s = 0; s < stages; s++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      typename S::V a[R], b[C];
#pragma GCC unroll 8
      for (int i = 0; i < R; i++) a[i] = S::load(d + s * d_stride + (i * V + v) * L);
#pragma GCC unroll 8
      for (int j = 0; j < C; j++) b[j] = S::load(x + s * x_stride + (j * V + v) * L);
#pragma GCC unroll 8
      for (int i = 0; i < R; i++)
#pragma GCC unroll 8
        for (int j = 0; j < C; j++) sum[i][j] += a[i] * b[j];
    }
  for (int i = 0; i < R; i++)
    for (int j = 0; j < C; j++) w[i * ldw + j] += S::sum(sum[i][j]);
}

template <class S, int V, int R, int C = GRAD_COLUMNS - 1>
INLINE void last_columns(int columns, int stages, const typename S::T* d, long ds, const typename S::T* x,
                         long xs, typename S::T* w, int ldw) {
  if constexpr (C > 0) {
    if (columns == C)
      gradient_tile<S, V, R, C>(stages, d, ds, x, xs, w, ldw);
    else
      last_columns<S, V, R, C - 1>(columns, stages, d, ds, x, xs, w, ldw);
  }
}

template <class S, int V, int R>
INLINE void gradient_rows(int columns, int stages, const typename S::T* d, long ds, const typename S::T* x,
                          long xs, typename S::T* w, int ldw) {
  constexpr int BL = S::lanes * V;
  int k = 0;
  for (; k + GRAD_COLUMNS <= columns; k += GRAD_COLUMNS)
    gradient_tile<S, V, R, GRAD_COLUMNS>(stages, d, ds, x + k * BL, xs, w + k, ldw);
  if (k < columns) last_columns<S, V, R>(columns - k, stages, d, ds, x + k * BL, xs, w + k, ldw);
}

template <class S, int V, int R = GRAD_ROWS - 1>
INLINE void last_rows(int rows, int columns, int stages, const typename S::T* d, long ds,
                      const typename S::T* x, long xs, typename S::T* w, int ldw) {
  if constexpr (R > 0) {
    if (rows == R)
      gradient_rows<S, V, R>(columns, stages, d, ds, x, xs, w, ldw);
    else
      last_rows<S, V, R - 1>(rows, columns, stages, d, ds, x, xs, w, ldw);
  }
}

// w (rows, columns, `ldw` apart) += sum over stages and trials of delta (rows) times input (columns)
template <class S, int V>
static void weight_gradient(int rows, int columns, int stages, const typename S::T* d, long ds,
                            const typename S::T* x, long xs, typename S::T* w, int ldw) {
  constexpr int BL = S::lanes * V;
  int m = 0;
  for (; m + GRAD_ROWS <= rows; m += GRAD_ROWS)
    gradient_rows<S, V, GRAD_ROWS>(columns, stages, d + m * BL, ds, x, xs, w + long(m) * ldw, ldw);
  if (m < rows)
    last_rows<S, V>(rows - m, columns, stages, d + m * BL, ds, x, xs, w + long(m) * ldw, ldw);
}
