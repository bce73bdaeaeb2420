// Turning blocks of memory in registers: rows of trials, with a trial per lane, to trials of rows and back.
#pragma once
#include <utility>

#include "simd.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define CAN_TURN 1
#endif
#endif
#ifndef CAN_TURN
#define CAN_TURN 0
#endif

#if CAN_TURN
template <class S, int D, int... J>
INLINE void exchange(typename S::V& a, typename S::V& b, std::integer_sequence<int, J...>) {
  constexpr int L = S::lanes;
  const typename S::V first = __builtin_shufflevector(a, b, (J & D ? L + J - D : J)...);
  b = __builtin_shufflevector(a, b, (J & D ? L + J : J + D)...);
  a = first;
}

template <class S, int D> INLINE void turn_from(typename S::V* rows) {
  constexpr int L = S::lanes;
  if constexpr (D < L) {
#pragma GCC unroll 16
    for (int i = 0; i < L; i++)
      if (!(i & D)) exchange<S, D>(rows[i], rows[i + D], std::make_integer_sequence<int, L>{});
    turn_from<S, 2 * D>(rows);
  }
}

// `rows` (at most S::lanes) vectors become S::lanes rows; what lies beyond `rows` is zero
template <class S>
INLINE void turn(const typename S::T* from, long from_stride, int rows, typename S::T* to, long to_stride) {
  constexpr int L = S::lanes;
  typename S::V r[L];
#pragma GCC unroll 16
  for (int i = 0; i < L; i++) r[i] = i < rows ? S::load(from + i * from_stride) : S::all(0);
  turn_from<S, 1>(r);
#pragma GCC unroll 16
  for (int i = 0; i < L; i++) S::store(to + i * to_stride, r[i]);
}
#else
template <class S> INLINE void turn(const typename S::T*, long, int, typename S::T*, long) {}
#endif

// Rows that go through registers; the few left over are copied one by one.
template <class S, int V> INLINE int turned_rows(int rows, int count) {
  return CAN_TURN && count == S::lanes * V ? rows / S::lanes * S::lanes : 0;
}

// `rows` of lanes from `count` trials that are `stride` apart; the other lanes are zero
template <class S, int V>
static void gather(const typename S::T* from, long stride, int count, int rows, typename S::T* to) {
  constexpr int L = S::lanes, BL = L * V;
  const int turned = turned_rows<S, V>(rows, count);
  for (int q = 0; q < turned; q += L)
    for (int v = 0; v < V; v++) turn<S>(from + v * L * stride + q, stride, L, to + (long(q) * V + v) * L, BL);
  for (int l = 0; l < BL; l++)
    for (int q = turned; q < rows; q++) to[q * BL + l] = l < count ? from[l * stride + q] : typename S::T(0);
}

template <class S, int V>
static void scatter(const typename S::T* from, int count, int rows, typename S::T* to, long stride) {
  constexpr int L = S::lanes, BL = L * V;
  const int turned = turned_rows<S, V>(rows, count);
  for (int q = 0; q < turned; q += L)
    for (int v = 0; v < V; v++) turn<S>(from + (long(q) * V + v) * L, BL, L, to + v * L * stride + q, stride);
  for (int l = 0; l < count; l++)
    for (int q = turned; q < rows; q++) to[l * stride + q] = from[q * BL + l];
}
