// AVX2 with VNNI.
#include "matrix.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avxvnni")
#endif
#include <immintrin.h>

namespace {

template <int Bits>
constexpr bool biased = true;

template <int Bits>
__m256i dot(__m256i sum, __m256i integers, __m256i x) {
  return _mm256_dpbusd_avx_epi32(sum, integers, x);
}

template <int Bits>
__m256i widen(__m256i sum) {
  return sum;
}

}  // namespace

#include "avx2_isa.h"
#include "small.h"

namespace {
const Isa avxvnni = {"avxvnni", quantize, tiles, nullptr, 0, nullptr, nullptr, half_rows, nullptr, nullptr, SMALL, store};
}
const Isa* const avxvnni_isa = &avxvnni;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
const Isa* const avxvnni_isa = nullptr;
#endif
