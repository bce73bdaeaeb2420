// Vectors of any width in the compiler's own vector extension, and the functions that fields need of them.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define INLINE inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int NATIVE_BYTES = 64, TILE_ROWS = 12, GRAD_ROWS = 4, GRAD_COLUMNS = 6;
#elif defined(__AVX__)
constexpr int NATIVE_BYTES = 32, TILE_ROWS = 6, GRAD_ROWS = 3, GRAD_COLUMNS = 3;
#else
constexpr int NATIVE_BYTES = 16, TILE_ROWS = 8, GRAD_ROWS = 4, GRAD_COLUMNS = 5;
#endif

template <class T> struct IntegerOf;
template <> struct IntegerOf<float> { using type = int32_t; };
template <> struct IntegerOf<double> { using type = int64_t; };

template <class T_, int BYTES> struct Simd {
  using T = T_;
  using I = typename IntegerOf<T>::type;
  static constexpr int lanes = BYTES / int(sizeof(T));
  typedef T V __attribute__((vector_size(BYTES)));
  typedef I IV __attribute__((vector_size(BYTES)));
  typedef T Loose __attribute__((vector_size(BYTES), aligned(sizeof(T)), may_alias));

  static INLINE V load(const T* p) { return *reinterpret_cast<const Loose*>(p); }
  static INLINE void store(T* p, V v) { *reinterpret_cast<Loose*>(p) = v; }
  static INLINE V all(T x) { return x - V{}; }
  static INLINE V below(V x, T top) { return x > all(top) ? all(top) : x; }
  static INLINE V above(V x, T bottom) { return x < all(bottom) ? all(bottom) : x; }
  static INLINE V clamp(V x, T bottom, T top) { return above(below(x, top), bottom); }

  static INLINE T sum(V v) {
    if constexpr (lanes == 2) {
      return v[0] + v[1];
    } else {
      using Half = Simd<T, BYTES / 2>;
      typename Half::V low, high;
      std::memcpy(&low, &v, sizeof low);
      std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
      return Half::sum(low + high);
    }
  }

  // exp by reduction to |r| <= log(2) / 2; NaN stays NaN
  static INLINE V exp(V x) {
    if constexpr (sizeof(T) == 4) {
      x = clamp(x, -87.0f, 88.0f);
      const V shift = all(12582912.0f), k = x * 1.44269504088896341f + shift, n = k - shift;
      V r = x - n * 0.693359375f;
      r = r - n * -2.12194440e-4f;
      V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
      p = p * r + 8.3334519073e-3f;
      p = p * r + 4.1665795894e-2f;
      p = p * r + 1.6666665459e-1f;
      p = p * r + 5.0000001201e-1f;
      p = p * (r * r) + r + 1.0f;
      return p * power_of_two(k, shift, 23, 127);
    } else {
      x = clamp(x, -708.0, 709.0);
      const V shift = all(6755399441055744.0), k = x * 1.4426950408889634074 + shift, n = k - shift;
      V r = x - n * 6.93147180369123816490e-1;
      r = r - n * 1.90821492927058770002e-10;
      V p = r * (1.0 / 479001600) + 1.0 / 39916800;
      p = p * r + 1.0 / 3628800;
      p = p * r + 1.0 / 362880;
      p = p * r + 1.0 / 40320;
      p = p * r + 1.0 / 5040;
      p = p * r + 1.0 / 720;
      p = p * r + 1.0 / 120;
      p = p * r + 1.0 / 24;
      p = p * r + 1.0 / 6;
      p = p * r + 0.5;
      p = p * r + 1.0;
      p = p * r + 1.0;
      return p * power_of_two(k, shift, 52, 1023);
    }
  }

  static INLINE V power_of_two(V shifted, V shift, int mantissa, I bias) {
    IV whole, base;
    std::memcpy(&whole, &shifted, sizeof whole);
    std::memcpy(&base, &shift, sizeof base);
    IV bits = (whole - base + bias) << mantissa;
    V scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return scale;
  }

  // 1 - exp(-s), accurate for small s
  static INLINE V one_minus_exp(V s) {
    constexpr int terms = sizeof(T) == 4 ? 7 : 14;
    V series = all(T(1));
    for (int i = terms; i > 1; i--) series = T(1) - series * s * (T(1) / T(i));
    const V small = series * s, large = T(1) - exp(-s);
    return (s < all(T(0.4))) & (s > all(T(-0.4))) ? small : large;
  }

  static INLINE V sigmoid(V x) { return T(1) / (T(1) + exp(-x)); }

  static INLINE V tanh(V x) {
    if constexpr (sizeof(T) == 4) {  // rational minimax approximation, as in Eigen
      x = clamp(x, -7.90531110763549805f, 7.90531110763549805f);
      const V y = x * x;
      V p = y * -2.76076847742355e-16f + 2.00018790482477e-13f;
      p = p * y + -8.60467152213735e-11f;
      p = p * y + 5.12229709037114e-08f;
      p = p * y + 1.48572235717979e-05f;
      p = p * y + 6.37261928875436e-04f;
      p = p * y + 4.89352455891786e-03f;
      V q = y * 1.19825839466702e-06f + 1.18534705686654e-04f;
      q = q * y + 2.26843463243900e-03f;
      q = q * y + 4.89352518554385e-03f;
      return p * x / q;
    } else {  // Cephes near zero, exponentials elsewhere
      const V y = x * x;
      V p = y * -9.64399179425052238628e-1 + -9.92877231001918586564e1;
      p = p * y + -1.61468768441708447952e3;
      V q = y + 1.12811678491632931402e2;
      q = q * y + 2.23548839060100448583e3;
      q = q * y + 4.84406305325125486048e3;
      const V near = x + x * y * p / q;
      const V far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
      return (y < all(0.390625)) ? near : far;
    }
  }

  // log(1 + t) for t in [0, 1], by the series of the inverse hyperbolic tangent
  static INLINE V log1p(V t) {
    constexpr int terms = sizeof(T) == 4 ? 8 : 17;
    const V w = t / (t + T(2)), y = w * w;
    V series = all(T(1) / T(2 * terms + 1));
    for (int i = terms - 1; i >= 0; i--) series = series * y + T(1) / T(2 * i + 1);
    return T(2) * w * series;
  }

  static INLINE V erf(V x) {
    if constexpr (sizeof(T) == 4) {  // rational minimax approximation, as in Eigen
      x = clamp(x, -4.0f, 4.0f);
      const V y = x * x;
      V p = y * -2.72614225801306e-10f + 2.77068142495902e-08f;
      p = p * y + -2.10102402082508e-06f;
      p = p * y + -5.69250639462346e-05f;
      p = p * y + -7.34990630326855e-04f;
      p = p * y + -2.95459980854025e-03f;
      p = p * y + -1.60960333262415e-02f;
      V q = y * -1.45660718464996e-05f + -2.13374055278905e-04f;
      q = q * y + -1.68282697438203e-03f;
      q = q * y + -7.37332916720468e-03f;
      q = q * y + -1.42647390514189e-02f;
      return p * x / q;
    } else {
      V out;
      for (int i = 0; i < lanes; i++) out[i] = std::erf(x[i]);
      return out;
    }
  }
};

enum Activation { TANH, RELU, SILU, SOFTPLUS, GELU };

// Whether the derivative is kept beside the value, because it does not follow cheaply from it.
INLINE bool keeps_slope(int activation) { return activation > RELU; }

// In place on `count` vectors; for activations that keep it, the derivative goes to `slope`.
template <class S> INLINE void activate(int kind, int count, typename S::T* y, typename S::T* slope) {
  using T = typename S::T;
  using V = typename S::V;
  constexpr int L = S::lanes;
  switch (kind) {
    case TANH:
      for (int q = 0; q < count; q++) S::store(y + q * L, S::tanh(S::load(y + q * L)));
      break;
    case RELU:
      for (int q = 0; q < count; q++) S::store(y + q * L, S::above(S::load(y + q * L), T(0)));
      break;
    case SILU:
      for (int q = 0; q < count; q++) {
        const V u = S::load(y + q * L), s = S::sigmoid(u);
        S::store(y + q * L, u * s);
        S::store(slope + q * L, s * (T(1) + u * (T(1) - s)));
      }
      break;
    case SOFTPLUS:
      for (int q = 0; q < count; q++) {
        const V u = S::load(y + q * L), magnitude = u < S::all(0) ? -u : u;
        S::store(y + q * L, S::above(u, T(0)) + S::log1p(S::exp(-magnitude)));
        S::store(slope + q * L, S::sigmoid(u));
      }
      break;
    case GELU:
      for (int q = 0; q < count; q++) {
        const V u = S::load(y + q * L);
        const V share = T(0.5) + T(0.5) * S::erf(u * T(0.70710678118654752440));
        S::store(y + q * L, u * share);
        S::store(slope + q * L, share + u * S::exp(T(-0.5) * u * u) * T(0.39894228040143267794));
      }
      break;
  }
}

// delta *= derivative, from the value or from the kept slope
template <class S>
INLINE void deactivate(int kind, int count, typename S::T* delta, const typename S::T* y,
                       const typename S::T* slope) {
  using T = typename S::T;
  constexpr int L = S::lanes;
  if (kind == TANH)
    for (int q = 0; q < count; q++) {
      const typename S::V v = S::load(y + q * L);
      S::store(delta + q * L, S::load(delta + q * L) * (T(1) - v * v));
    }
  else if (kind == RELU)
    for (int q = 0; q < count; q++)
      S::store(delta + q * L, S::load(y + q * L) > S::all(0) ? S::load(delta + q * L) : S::all(0));
  else
    for (int q = 0; q < count; q++)
      S::store(delta + q * L, S::load(delta + q * L) * S::load(slope + q * L));
}
